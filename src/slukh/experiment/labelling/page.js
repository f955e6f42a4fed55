"use strict";
// Keys are named by their place on the keyboard (event.code), so that a Ukrainian or Russian layout works too.

const $ = (id) => document.getElementById(id);
const player = new Audio();
let question = null; // what is asked, or null
let sounds = {}; // "clip" and "whole" of the question, as object URLs
let isHeard = false; // it was played: who has not listened has no opinion
let isBusy = false; // an answer is under way

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const found = await response.json();
  if (found.error) throw new Error(found.error);
  return found;
}

async function step(path, body) {
  if (isBusy) return;
  isBusy = true;
  try {
    show(await ask(path, body));
    $("problem").textContent = "";
  } catch (error) {
    const isGone = error instanceof TypeError; // fetch's own: nobody answers
    $("problem").textContent = isGone ? "slukh ab label has ended: start it again" : error.message;
  } finally {
    isBusy = false;
  }
}

function show(state) {
  const { done, of, minutes_left: minutes, can_undo: canUndo } = state.progress;
  const left = minutes === 1 ? "about a minute left" : `about ${minutes} minutes left`;
  $("progress-text").textContent = done < of ? `${done} of ${of}, ${left}` : `${of} of ${of}`;
  $("progress-bar").max = Math.max(of, 1);
  $("progress-bar").value = done;
  $("undo").disabled = $("undo-last").disabled = !canUndo;
  Object.values(sounds).forEach(URL.revokeObjectURL);
  sounds = {};
  player.pause();
  question = state.question;
  isHeard = false;
  $("asking").hidden = question === null;
  $("over").hidden = question !== null;
  type(false);
  if (question === null) return;
  ["a", "b"].forEach((name, at) => write($(name).querySelector(".words"), question.lines[at]));
  play("clip");
}

function write(place, line) {
  // An empty word stands where a text has none and the other has.
  const words = line.map(({ word, role }) => (word ? span(word, role) : span("nothing", `${role} nothing`)));
  place.replaceChildren(...words.flatMap((word) => [word, " "]));
}

function span(text, role) {
  const made = document.createElement("span");
  made.className = role;
  made.textContent = text;
  return made;
}

async function play(what) {
  const asked = question;
  if (asked === null) return;
  try {
    if (!sounds[what]) {
      const response = await fetch(`audio/${asked.number}${what === "whole" ? "?whole" : ""}`);
      const sound = URL.createObjectURL(await response.blob());
      if (asked !== question) return URL.revokeObjectURL(sound);
      sounds[what] = sound;
    }
    player.src = sounds[what];
    await player.play();
    isHeard = true;
    $("problem").textContent = "";
  } catch (error) {
    // Browsers play nothing before the first key or click of a page.
    if (error.name === "NotAllowedError") $("problem").textContent = "Press Space to listen.";
    else if (error.name !== "AbortError") $("problem").textContent = "The audio cannot be played.";
  }
}

function type(isOpen) {
  $("typing").hidden = $("typing-hint").hidden = !isOpen;
  if (isOpen) $("typed").focus();
  else {
    $("typed").value = "";
    document.activeElement?.blur(); // or Space would press the button that was clicked last
  }
}

function reply(name, text = "") {
  if (question === null) return;
  if (isHeard || name === "skip") step("answer", { number: question.number, reply: name, text });
  else play("clip");
}

const actions = {
  replay: () => play("clip"),
  whole: () => play("whole"),
  a: () => reply("a"),
  b: () => reply("b"),
  both: () => reply("both"),
  neither: () => question !== null && type(true),
  skip: () => reply("skip"),
  undo: () => step("undo", {}),
};
const keys = {
  Space: "replay", KeyW: "whole", KeyA: "a", KeyB: "b", KeyE: "both", KeyN: "neither", KeyT: "neither",
  KeyS: "skip", KeyZ: "undo", Digit1: "a", Digit2: "b",
};

for (const [name, action] of Object.entries(actions)) {
  $(name).addEventListener("click", () => { $(name).blur(); action(); });
}
$("undo-last").addEventListener("click", actions.undo);
$("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("typed").value.trim();
  reply(text ? "typed" : "neither", text);
});
document.addEventListener("keydown", (event) => {
  if (event.code === "Escape") return type(false);
  const isText = event.target === $("typed") || event.ctrlKey || event.metaKey || event.altKey;
  const isPress = event.code === "Space" && event.target instanceof HTMLButtonElement; // reached by Tab
  if (isText || isPress || event.repeat || !(event.code in keys)) return;
  event.preventDefault();
  actions[keys[event.code]]();
});

step("state");
