import { placeholderUrl } from "./thumbhash.js";
import { inWords, LoginEnded, objection, storageWords, tooLarge, Trouble, TYPES } from "./words.js";

const $ = (selector, root = document) => root.querySelector(selector);
const TOKEN = "lablink-token";

let components = [];

// --- talking to the server -------------------------------------------------------------------------------

function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Sends a request to our own server and gives its JSON. */
async function api(method, path, json) {
  const token = authorization();
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...token, ...(json ? { "Content-Type": "application/json" } : {}) },
      body: json && JSON.stringify(json),
    });
  } catch {
    throw new Trouble("The server cannot be reached. Check the connection and try again.");
  }
  return checked(response.status, await response.text(), token);
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

/** Posts a form and tells how much of it has gone: `fetch` cannot. */
function post(url, form, headers, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () =>
      reject(new Trouble("The upload was cut off before there was an answer. Please try again; if it happens every time, the storage does not take uploads from this page (CORS)."));
    request.send(form);
  });
}

// --- adding ----------------------------------------------------------------------------------------------

async function addThroughServer(form, file) {
  const body = new FormData(form);
  body.delete("way");
  if (!file) body.delete("image");
  const token = authorization();
  const { status, text } = await post("/api/components", body, token, (part) =>
    progress(part, part < 1 ? "Uploading" : "Checking and resizing"));
  return checked(status, text, token);
}

async function addDirectly(form, file) {
  const upload = await api("POST", "/api/s3/upload-url", { filename: file.name, content_type: file.type });
  const refused = tooLarge(file, mostBytes(upload.fields));
  if (refused) throw new Trouble(refused);
  const body = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) body.append(name, value);
  body.append("file", file); // the storage reads nothing after the file
  const { status, text } = await post(upload.url, body, {}, (part) =>
    progress(part, part < 1 ? "Uploading to storage" : "Verifying"));
  if (status >= 400) throw new Trouble(storageWords(status, text));
  const values = Object.fromEntries(new FormData(form));
  delete values.image;
  delete values.way;
  return api("POST", "/api/components", { ...values, upload_key: upload.key });
}

/** How much the form lets in, as its policy says. A storage that refuses more may just close the connection. */
function mostBytes(fields) {
  const { conditions } = JSON.parse(atob(fields.policy));
  return conditions.find((condition) => condition[0] === "content-length-range")?.[2] ?? Infinity;
}

async function add(event) {
  event.preventDefault();
  const form = event.target;
  const file = form.image.files[0];
  const button = $("button[type=submit]", form);
  try {
    if (!form.name.value.trim()) throw new Trouble("Please give the component a name.");
    if (!form.quantity.validity.valid) throw new Trouble("The quantity is a whole number from 0 to 1000000.");
    const refused = objection(file);
    if (refused) throw new Trouble(refused);
    button.disabled = true;
    say("#add-message", "");
    const direct = form.way.value === "direct" && file;
    const component = await (direct ? addDirectly : addThroughServer)(form, file);
    components.unshift(component);
    const way = form.way.value;
    form.reset();
    form.way.value = way;
    preview();
    show();
    say("#add-message", `${component.name} was added.`, "done");
  } catch (error) {
    complain("#add-message", error);
  } finally {
    button.disabled = false;
    $("#progress").hidden = true;
  }
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
  const image = $("#preview");
  URL.revokeObjectURL(image.src);
  image.hidden = !file || !TYPES.includes(file.type);
  if (image.hidden) image.removeAttribute("src");
  else image.src = URL.createObjectURL(file);
  $("#drop-text").hidden = !image.hidden;
  const refused = objection(file);
  say("#add-message", refused || "", refused ? "error" : "");
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
  $("h3", item).textContent = component.name;
  $(".where", item).textContent = [component.category, component.location].filter(Boolean).join(" · ");
  $(".quantity", item).textContent = `${component.quantity} in stock`;
  const button = $(".delete", item);
  button.hidden = !sessionStorage.getItem(TOKEN);
  button.setAttribute("aria-label", `Delete ${component.name}`);
  button.onclick = () => remove(component, button);
  return item;
}

function show() {
  const wanted = $("#filter").value.trim().toLowerCase();
  const shown = components.filter((component) =>
    [component.name, component.category, component.location].join(" ").toLowerCase().includes(wanted));
  $("#cards").replaceChildren(...shown.map(card));
  $("#count").textContent = components.length ? components.length : "";
  $("#empty").hidden = components.length > 0;
}

async function load() {
  try {
    ({ components } = await api("GET", "/api/components"));
    show();
  } catch (error) {
    complain("#list-message", error);
  }
}

async function remove(component, button) {
  if (!confirm(`Delete ${component.name} and its photo?`)) return;
  button.disabled = true;
  try {
    const { message } = await api("DELETE", `/api/components/${component.id}`);
    components = components.filter(({ id }) => id !== component.id);
    show();
    say("#list-message", message, "done");
  } catch (error) {
    button.disabled = false;
    complain("#list-message", error);
  }
}

// --- logging in ------------------------------------------------------------------------------------------

async function logIn(event) {
  event.preventDefault();
  try {
    const { access_token } = await api("POST", "/api/auth/login", Object.fromEntries(new FormData(event.target)));
    sessionStorage.setItem(TOKEN, access_token);
    say("#login .message", "");
    showSession();
  } catch (error) {
    complain("#login .message", error);
  }
}

function logOut() {
  sessionStorage.removeItem(TOKEN);
  showSession();
}

async function showSession() {
  const inside = Boolean(sessionStorage.getItem(TOKEN));
  $("#login-panel").hidden = inside;
  $("#add-panel").hidden = !inside;
  $("#log-out").hidden = !inside;
  show();
  if (!inside) return;
  try {
    const status = await api("GET", "/api/s3/status");
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
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  $("#drop").addEventListener(name, () => $("#drop").classList.toggle("over", over));
}
await load();
await showSession();
