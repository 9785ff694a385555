// What is wrong with a file or an answer, in words for the person in front of the page.

const MAX_BYTES = Number(document.body.dataset.maxBytes);
/** What the field takes is what the wheel reads. */
const TYPES = document.querySelector("input[name=image]").accept.split(",");

/** An error whose message is meant for that person. */
export class Trouble extends Error {}

/** The server no longer takes the token: it is too old, or its account is another now. */
export class LoginEnded extends Trouble {
  constructor() {
    super("Your login has expired. Please log in again.");
  }
}

/** Why a file is not even sent, or null. */
export function objection(file) {
  if (!file) return null;
  if (!TYPES.includes(file.type)) {
    const kind = file.name.includes(".") ? file.name.split(".").pop().toUpperCase() : "such";
    return `${kind} files cannot be used. Please choose a JPEG, PNG, WebP or GIF photo.`;
  }
  return tooLarge(file, MAX_BYTES);
}

/** `most` in bytes; null for a file that is small enough. */
export function tooLarge(file, most) {
  if (file.size <= most) return null;
  const size = (file.size / 1048576).toFixed(1);
  return `The photo is too large: it has ${size} MB, at most ${Math.floor(most / 1048576)} MB are allowed.`;
}

/** The kinds of the storage's errors, else the server's own sentence. */
export function inWords(status, body) {
  const megabytes = Math.floor(MAX_BYTES / 1048576);
  const words = {
    unsupported_format: `This is not a photo that can be used. Please choose a JPEG, PNG, WebP or GIF.`,
    invalid_image: "The photo is damaged and cannot be read. Please choose another one.",
    limit_exceeded: `The photo is too large: at most ${megabytes} MB.`,
    policy_violation: "The storage did not accept the upload. Please try again.",
    rejected: body?.message,
    not_found: "It does not exist any more. Please reload the page.",
    unavailable: "The storage is busy. Please try again in a moment.",
    timeout: "The storage took too long. Please try again in a moment.",
  };
  const detail = ["unsupported_format", "limit_exceeded"].includes(body?.error) ? ` (${body.message})` : "";
  if (body?.error in words) return words[body.error] + detail;
  if (status >= 500) return "The server cannot store images at the moment. Please try again later.";
  return body?.message || `The server refused the request (${status}).`;
}

/** S3 answers in XML, the local stand-in in JSON. */
export function storageWords(status, text) {
  const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1];
  if (code === "EntityTooLarge") return inWords(413, { error: "limit_exceeded", message: "refused by the storage" });
  if (code) return inWords(status, { error: "policy_violation" });
  try {
    return inWords(status, JSON.parse(text));
  } catch {
    return inWords(status, null);
  }
}
