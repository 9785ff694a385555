import { placeholderUrl } from "./thumbhash.js";
import { inWords, LoginEnded, objection, storageWords, tooLarge, Trouble } from "./words.js";

const $ = (selector, root = document) => root.querySelector(selector);
const TOKEN = "lablink-token";
/** How long, in milliseconds, nothing may move before a request is given up. */
const PATIENCE = Number(document.body.dataset.patience);
const SILENT = "There was no answer for too long. Check the connection and try again.";

let components = [];
/** Cancels the upload under way, if there is one. */
let upload = null;

// --- talking to the server -------------------------------------------------------------------------------

function authorization() {
  const token = localStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Sends a request to our own server and gives its JSON. */
async function api(method, path, json, signal) {
  const token = authorization();
  const limit = AbortSignal.timeout(PATIENCE);
  let response, text;
  try {
    response = await fetch(path, {
      method,
      headers: { ...token, ...(json ? { "Content-Type": "application/json" } : {}) },
      body: json && JSON.stringify(json),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await response.text();
  } catch {
    if (signal?.aborted) throw new Trouble("The upload was cancelled.");
    if (limit.aborted) throw new Trouble(SILENT);
    throw new Trouble("The server cannot be reached. Check the connection and try again.");
  }
  return checked(response.status, text, token);
}

/** `token` is the header with which the request was sent. */
function checked(status, text, token) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch { /* said below */ }
  if (status === 401 && token.Authorization) {
    logOut();
    throw new LoginEnded();
  }
  if (status >= 400) throw Object.assign(new Trouble(inWords(status, body)), { body });
  return body;
}

/** Sends a body and tells how much of it has gone: `fetch` cannot. */
function send(method, url, body, headers, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const { signal } = upload;
    let silence;
    const fail = (words) => {
      clearTimeout(silence);
      reject(new Trouble(words));
    };
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => { request.abort(); fail(SILENT); }, PATIENCE);
    };
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value); // the browser's own
    }
    request.upload.onprogress = (event) => {
      listen();
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      clearTimeout(silence);
      resolve({ status: request.status, text: request.responseText });
    };
    request.onerror = () =>
      fail("The upload was cut off before there was an answer. Please try again; if it happens every time, the storage does not take uploads from this page (CORS).");
    signal.addEventListener("abort", () => { request.abort(); fail("The upload was cancelled."); });
    listen();
    request.send(body);
  });
}

// --- adding ----------------------------------------------------------------------------------------------

async function addThroughServer(form, file) {
  const body = new FormData(form);
  body.delete("way");
  if (!file) body.delete("image");
  const token = authorization();
  const { status, text } = await send("POST", "api/components", body, token, (part) =>
    progress(part, part < 1 ? "Uploading" : "Checking and resizing"));
  return checked(status, text, token);
}

async function addDirectly(form, file) {
  const wanted = { filename: file.name, content_type: file.type, size: file.size };
  const direct = await api("POST", "api/s3/upload-url", wanted, upload.signal);
  const refused = tooLarge(file, mostBytes(direct.fields));
  if (refused) throw new Trouble(refused);
  let body = file;
  if (direct.method === "POST") {
    body = new FormData();
    for (const [name, value] of Object.entries(direct.fields)) body.append(name, value);
    body.append("file", file); // the storage reads nothing after the file
  }
  const { status, text } = await send(direct.method, direct.url, body, direct.headers, (part) =>
    progress(part, part < 1 ? "Uploading to storage" : "Verifying"));
  if (status >= 400) throw new Trouble(storageWords(status, text));
  const values = Object.fromEntries(new FormData(form));
  delete values.image;
  delete values.way;
  return api("POST", "api/components", { ...values, upload_key: direct.key }, upload.signal);
}

/** How much the form lets in, as its policy says. A storage that refuses more may just close the connection. */
function mostBytes(fields) {
  if (!fields.policy) return Infinity; // a PUT is signed for its size
  const { conditions } = JSON.parse(atob(fields.policy));
  return conditions.find((condition) => condition[0] === "content-length-range")?.[2] ?? Infinity;
}

async function add(event) {
  event.preventDefault();
  const form = event.target;
  const file = form.image.files[0];
  const button = $("button[type=submit]", form);
  try {
    wrong(null);
    if (!form.name.value.trim()) throw wrong(form.name, "Please give the component a name.");
    if (!form.quantity.validity.valid) throw wrong(form.quantity, "The quantity is a whole number from 0 to 1000000.");
    const refused = objection(file);
    if (refused) throw wrong(form.image, refused);
    button.disabled = true;
    upload = new AbortController();
    say("#add-message", "");
    const direct = form.way.value === "direct" && file;
    if (file) progress(0, direct ? "Uploading to storage" : "Uploading");
    const component = await (direct ? addDirectly : addThroughServer)(form, file);
    components.unshift(component);
    const way = form.way.value;
    form.reset();
    form.way.value = way;
    preview();
    show();
    say("#add-message", `${component.name} was added.`, "done");
    form.name.focus();
  } catch (error) {
    complain("#add-message", error);
  } finally {
    upload = null;
    button.disabled = false;
    $("#progress").hidden = true;
  }
}

/** Marks the field that something is wrong with; `null` marks none. */
function wrong(field, words) {
  for (const marked of document.querySelectorAll("#add [aria-invalid]")) marked.removeAttribute("aria-invalid");
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
  return new Trouble(words);
}

function progress(part, words) {
  const percent = Math.round(part * 100);
  $("#progress").hidden = false;
  $("#progress .bar").setAttribute("aria-valuenow", percent);
  $("#progress .bar i").style.width = `${percent}%`;
  $("#progress-text").textContent = part < 1 ? `${words} … ${percent} %` : `${words} …`;
}

function preview() {
  const file = $("#add").image.files[0];
  const refused = objection(file);
  URL.revokeObjectURL($("#preview").src);
  picture(!refused && file ? URL.createObjectURL(file) : null);
  $("#remove-photo").hidden = !file;
  wrong(refused ? $("#add").image : null);
  say("#add-message", refused || "", refused ? "error" : "");
}

function picture(address) {
  $("#preview").hidden = !address;
  $("#drop-text").hidden = Boolean(address);
  if (address) $("#preview").src = address;
  else $("#preview").removeAttribute("src");
}

/** What is pasted anywhere on the page while the form is open. */
function paste(event) {
  const [file] = event.clipboardData.files;
  if (!file || $("#add-panel").hidden) return;
  event.preventDefault();
  const chosen = new DataTransfer();
  chosen.items.add(file);
  $("#add").image.files = chosen.files;
  preview();
}

function removePhoto() {
  $("#add").image.value = "";
  preview();
  $("#add").image.focus();
}

// --- the gallery -----------------------------------------------------------------------------------------

function card(component) {
  const item = $("#card").content.cloneNode(true).firstElementChild;
  item.dataset.id = component.id;
  const photo = $(".photo", item);
  const image = $("img", photo);
  if (component.image_url) {
    photo.href = component.image_url;
    if (component.placeholder) {
      const blurred = placeholderUrl(component.placeholder, component.image_width, component.image_height);
      photo.style.backgroundImage = `url(${blurred})`;
    }
    image.onload = () => image.classList.add("loaded");
    image.alt = component.name;
    image.width = component.image_width;
    image.height = component.image_height;
    image.sizes = "(max-width: 760px) 45vw, 260px";
    if (component.srcset) image.srcset = component.srcset;
    image.src = component.thumbnail_url;
  } else {
    photo.classList.add("none");
  }
  $("h2", item).textContent = component.name;
  $(".where", item).textContent = [component.category, component.location].filter(Boolean).join(" · ");
  $(".quantity", item).textContent = `${component.quantity} in stock`;
  const button = $(".delete", item);
  button.hidden = !localStorage.getItem(TOKEN);
  button.setAttribute("aria-label", `Delete ${component.name}`);
  button.onclick = () => remove(component, button);
  return item;
}

function show() {
  const wanted = $("#filter").value.trim().toLowerCase();
  const shown = components.filter((component) =>
    [component.name, component.category, component.location].join(" ").toLowerCase().includes(wanted));
  $("#cards").replaceChildren(...shown.map(card));
  const all = components.length;
  $("#count").textContent = shown.length < all ? `${shown.length} of ${all}` : all || "";
  $("#empty").hidden = shown.length > 0;
  if (all) $("#empty").textContent = "No component matches the filter.";
  else if (localStorage.getItem(TOKEN)) $("#empty").textContent = "Nothing here yet. Add the first component.";
  else $("#empty").textContent = "Nothing here yet. Log in and add the first component.";
}

async function load() {
  try {
    ({ components } = await api("GET", "api/components"));
    show();
  } catch (error) {
    complain("#list-message", error);
  }
}

async function remove(component, button) {
  if (!confirm(`Delete ${component.name} and its photo?`)) return;
  button.disabled = true;
  try {
    const { message } = await api("DELETE", `api/components/${component.id}`);
    forget(component);
    say("#list-message", message, "done");
  } catch (error) {
    button.disabled = false;
    if (error.body?.error === "not_found") forget(component);
    complain("#list-message", error);
  }
}

/** Takes a card away; its neighbour's button, or the heading, gets the focus that was on it. */
function forget(component) {
  const card = $(`.card[data-id="${component.id}"]`);
  const next = (card?.nextElementSibling ?? card?.previousElementSibling)?.dataset.id;
  components = components.filter(({ id }) => id !== component.id);
  show();
  ((next && $(`.card[data-id="${next}"] .delete`)) || $("#inventory-title")).focus();
}

// --- logging in ------------------------------------------------------------------------------------------

async function logIn(event) {
  event.preventDefault();
  try {
    const { access_token } = await api("POST", "api/auth/login", Object.fromEntries(new FormData(event.target)));
    localStorage.setItem(TOKEN, access_token);
    say("#login .message", "");
    showSession();
    $("#add").name.focus();
  } catch (error) {
    complain("#login .message", error);
  }
}

function logOut() {
  localStorage.removeItem(TOKEN);
  showSession();
  $("#login").email.focus();
}

async function showSession() {
  const inside = Boolean(localStorage.getItem(TOKEN));
  $("#login-panel").hidden = inside;
  $("#add-panel").hidden = !inside;
  $("#log-out").hidden = !inside;
  show();
  if (!inside) return;
  try {
    const status = await api("GET", "api/s3/status");
    $("#badge").classList.remove("trouble");
    $("#badge").title = status.message;
  } catch (error) {
    if (!error.body?.enabled) return complain("#list-message", error); // not the storage's trouble
    $("#badge").classList.add("trouble");
    $("#badge").title = "The storage does not answer: images may not load.";
  }
}

// --- words -----------------------------------------------------------------------------------------------

function say(where, text, kind = "") {
  const place = $(where);
  place.textContent = text;
  place.className = `message ${kind}`;
}

function complain(where, error) {
  if (!(error instanceof Trouble)) console.error(error);
  if (error instanceof LoginEnded) {
    // Where it was to be said may be hidden now.
    say("#login .message", error.message, "error");
    return $("#login .message").scrollIntoView({ block: "center" });
  }
  say(where, error instanceof Trouble ? error.message : "Something unexpected went wrong in this page.", "error");
}

// --- events ----------------------------------------------------------------------------------------------

$("#login").addEventListener("submit", logIn);
$("#log-out").addEventListener("click", logOut);
$("#add").addEventListener("submit", add);
$("#add").image.addEventListener("change", preview);
$("#filter").addEventListener("input", show);
$("#remove-photo").addEventListener("click", removePhoto);
$("#cancel").addEventListener("click", () => upload?.abort());
$("#preview").addEventListener("error", () => {
  if ($("#preview").hidden) return;
  picture(null);
  say("#add-message", "This photo cannot be shown here: it may be damaged.", "error");
});
document.addEventListener("paste", paste);
addEventListener("beforeunload", (event) => upload && event.preventDefault());
addEventListener("storage", (event) => event.key === TOKEN && showSession()); // another tab logged in or out
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  $("#drop").addEventListener(name, () => $("#drop").classList.toggle("over", over));
}
await load();
await showSession();
