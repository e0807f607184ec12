"use strict";

// Swagger UI for one dialect. `credentials` says how e-mail and token prove who makes a call (`for_page` in
// credentials.py): by a signature in the query, or by HTTP Basic. Both are kept in this tab alone, for all dialects.
const credentials = JSON.parse(document.body.dataset.credentials);
const byId = (id) => document.getElementById(id);
const FIELDS = ["email", "token"];
let isOpen = false; // the call that is being made, to anybody
const cannotSign = Boolean(credentials && credentials.digest && !(window.crypto && crypto.subtle));

const held = () => Object.fromEntries(FIELDS.map((name) => [name, (sessionStorage.getItem(`deskroster.${name}`) || "").trim()]));
const isWhole = (account) => FIELDS.every((name) => account[name]);

function hold(name, value) {
  sessionStorage.setItem(`deskroster.${name}`, value);
  byId(name).value = value;
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function ask() {
  const dialog = byId("ask");
  for (const name of FIELDS) byId(`asked-${name}`).value = held()[name];
  dialog.returnValue = "";
  byId("cancel").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((answered) => {
    dialog.addEventListener(
      "close",
      () => {
        const send = dialog.returnValue === "send";
        if (send) for (const name of FIELDS) hold(name, byId(`asked-${name}`).value);
        answered(send);
      },
      { once: true },
    );
  });
}

// ── proving ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function sign(request, account) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const values = { ...account, timestamp, nonce: crypto.randomUUID(), ...credentials.fixed };
  const hashed = new TextEncoder().encode(credentials.parts.map((part) => values[part]).join("&"));
  const parameters = credentials.parts.filter((part) => part !== "token").map((part) => [part, values[part]]);
  parameters.push(["sign", hex(await crypto.subtle.digest(credentials.digest, hashed))]);
  const query = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  request.url += (request.url.includes("?") ? "&" : "?") + query;
}

function authenticate(request, account) {
  const bytes = new TextEncoder().encode(`${account.email}${credentials.suffix}:${account.token}`);
  request.headers.Authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

// Called before each request, once `whoseCall` has let it through.
async function prove(request) {
  if (!credentials || request.loadSpec || isOpen) return request;
  await (credentials.digest ? sign : authenticate)(request, held());
  return request;
}

// Before Swagger UI hears of the button: ask for what the call lacks, and press it again when that is there.
function whoseCall(event) {
  const button = event.target.closest(".execute");
  if (!button || !credentials) return;
  isOpen = mayBeMadeByAnybody(button.closest(".opblock").id);
  if (isOpen || (!cannotSign && isWhole(held()))) return;
  event.stopPropagation();
  if (cannotSign) byId("insecure").focus();
  else ask().then((send) => send && button.click());
}

// Swagger UI ends the id of an operation's block with its `operationId`.
function mayBeMadeByAnybody(block) {
  const operations = Object.values(ui.specSelectors.specJson().toJS().paths).flatMap(Object.values);
  return operations.some((one) => one.security.length === 0 && block.endsWith(`-${one.operationId}`));
}

// ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────

byId("signer").hidden = !credentials;
byId("insecure").hidden = !cannotSign;
for (const name of FIELDS) {
  byId(name).value = held()[name];
  byId(name).addEventListener("input", () => sessionStorage.setItem(`deskroster.${name}`, byId(name).value));
}
byId("forget").addEventListener("click", () => FIELDS.forEach((name) => hold(name, "")));
byId("signer").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("click", whoseCall, true);

const ui = SwaggerUIBundle({
  url: document.body.dataset.document,
  dom_id: "#reference",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  showCommonExtensions: true,
  requestInterceptor: prove,
});
