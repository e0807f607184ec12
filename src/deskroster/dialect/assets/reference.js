"use strict";

// Swagger UI for one dialect. Calls of signed dialects get their signature here, from the e-mail and token typed above.
const { dialect, signed } = document.body.dataset;
const byId = (id) => document.getElementById(id);

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function sign(request) {
  const email = byId("email").value.trim();
  const token = byId("token").value.trim();
  if (!email || !token) return request;
  if (!window.crypto || !crypto.subtle) {
    byId("state").textContent = "This browser signs only on https:// or localhost.";
    return request;
  }
  const timestamp = String(Math.floor(Date.now() / 1000));
  const parts = [email, token, timestamp];
  const parameters = { email, timestamp };
  if (dialect === "udesk") {
    parameters.nonce = crypto.randomUUID();
    parameters.sign_version = "v2";
    parts.push(parameters.nonce, parameters.sign_version);
  }
  parameters.sign = hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("&"))));
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  request.url += (request.url.includes("?") ? "&" : "?") + query;
  return request;
}

if (signed === "true") byId("signer").hidden = false;

SwaggerUIBundle({
  url: `/docs/${dialect}/openapi.json`,
  dom_id: "#reference",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: (request) => (signed === "true" && !request.loadSpec ? sign(request) : request),
});
