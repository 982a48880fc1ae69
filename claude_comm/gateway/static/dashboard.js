/**
 * What is live on a page: it is asked for again while it is seen, and what changed is put into its place.
 *
 * Law: at most four times a second, one request at a time, none while the page is hidden or paused, and none while a
 * person writes into one of its forms. What did not change is not touched, so that focus, selection, scrolling and
 * opened details stay. Text comes from the server's escaping; nothing is ever parsed from a message here.
 */
import { morph } from "./morph.js";

const LEAST_MS = 250;
const MOST_MS = 30_000;

const state = document.getElementById("live-state");
const words = document.getElementById("live-text");
const pause = document.getElementById("pause");
const said = document.getElementById("said");
const everyMs = Math.max(Number(state?.dataset.every ?? 0), 0);

let paused = false;
let timer = 0;
let failures = 0;
let running = false;

/** Tells what the page does, to the eye; a change of it to a screen reader as well. */
function tell(text, name, aloud = false) {
  words.textContent = text;
  state.className = `live ${name}`;
  if (aloud) said.textContent = text;
}

/** The wait before the next look: longer after each failure, and never so short that looking is all that happens. */
function nextMs(tookMs) {
  return Math.min(Math.max(everyMs, LEAST_MS, tookMs * 2) * 2 ** Math.min(failures, 5), MOST_MS);
}

function plan(waitMs) {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(look, waitMs);
}

/** Whether somebody is at work in a form of the page: what they wrote is not taken from them. */
function writing() {
  const active = document.activeElement;
  return active instanceof HTMLElement && active.matches("main input, main textarea, main select");
}

/** Tells that the login has ended: nothing that stands on the page is lost before the person goes on. */
function over() {
  const back = document.createElement("a");
  back.href = `/login?${new URLSearchParams({ next: location.pathname + location.search, over: "1" })}`;
  back.textContent = "log in again";
  tell("your login is over: ", "lost", true);
  words.append(back);
  paused = true;
  pause.hidden = true;
}

async function look() {
  if (running) return;
  running = true;
  const began = performance.now();
  try {
    if (!writing()) {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") return over();
      if (!answer.ok) throw new Error(`the gateway answers ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (fresh === null) throw new Error("this is another page");
      // Somebody may have begun to write while the answer was on its way.
      if (!writing()) morph(document.getElementById("main"), fresh);
    }
    if (failures) tell("live", "", true);
    failures = 0;
    words.textContent = writing() ? "waits while you write" : `live, ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    failures += 1;
    tell(`not reached: ${error.message}`, "lost", failures === 1);
  } finally {
    running = false;
    plan(nextMs(performance.now() - began));
  }
}

function toggle() {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  tell(paused ? "paused" : "live", paused ? "paused" : "", true);
  plan(0);
}

if (everyMs > 0) {
  state.hidden = false;
  pause.addEventListener("click", toggle);
  document.addEventListener("visibilitychange", () => plan(LEAST_MS));
  plan(everyMs);
}

// The entry of this page is seen where the navigation is a strip that scrolls.
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// `/` goes to the field that finds things, as in many tools; never while somebody writes.
document.addEventListener("keydown", (event) => {
  const free = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key !== "/" || !free || document.activeElement?.matches("input, textarea, select")) return;
  const field = document.querySelector('[data-key="/"]');
  if (field) {
    event.preventDefault();
    field.focus();
  }
});

// One act once: a form that was sent is not sent again by a second press.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
