"use strict";

// Swagger UI for one dialect. `signing` says how its calls are signed here, with the e-mail and token typed above
// (SignedQuery in credentials.py); it is null where Swagger UI asks for the credentials and sends them itself.
const { dialect } = document.body.dataset;
const signing = JSON.parse(document.body.dataset.signing);
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
  const values = { email, token, timestamp: String(Math.floor(Date.now() / 1000)), nonce: crypto.randomUUID(), ...signing.fixed };
  const hashed = new TextEncoder().encode(signing.parts.map((part) => values[part]).join("&"));
  const parameters = signing.parts.filter((part) => part !== "token").map((part) => [part, values[part]]);
  parameters.push(["sign", hex(await crypto.subtle.digest(signing.digest, hashed))]);
  const query = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  request.url += (request.url.includes("?") ? "&" : "?") + query;
  return request;
}

if (signing) byId("signer").hidden = false;

SwaggerUIBundle({
  url: `/docs/${dialect}/openapi.json`,
  dom_id: "#reference",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: (request) => (signing && !request.loadSpec ? sign(request) : request),
});
