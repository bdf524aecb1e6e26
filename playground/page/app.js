// The page: a channel on one side, sign-ins to try on the other. It keeps nothing but what it
// shows; the routes of the local stage know the rest.

import { builderAddress, element, payloadBody } from "/message.js";

const POLL_MS = 1000;
const SPRAY_NAMES = [
  "admin", "administrator", "root", "test", "guest", "backup", "deploy", "jenkins", "terraform", "svc-billing",
  "alice", "bob.martin", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
];


const $ = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;

let receiver = null; // whose posts are shown
let after = 0; // the number of the newest post
let looks = Promise.resolve(); // one after the other
let polling = null; // when the next look begins
let choice = Promise.resolve(); // Slack's answer as chosen last, on its way to the receiver

async function call(path, body) {
  const request = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, request);
  const value = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(value.message ?? value.Message ?? answer.statusText), value);
  return value;
}

// --- the channel

/** Whether the newest message is in view, be it in part. */
function isFollowing(list) {
  const newest = list.lastElementChild;
  return !newest || newest.offsetTop < list.scrollTop + list.clientHeight;
}

/** Scroll to the end, but never past the sentence that the newest message begins with. */
function showNewest() {
  const list = $("messages");
  list.scrollTop = list.lastElementChild?.offsetTop ?? 0;
  $("newest").hidden = true;
}

function message(post) {
  const when = new Date(post.received_at * 1000);
  const time = element("time", "quiet", when.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  const builder = element("a", "", "Block Kit Builder");
  Object.assign(builder, { href: builderAddress(post.payload), target: "_blank", rel: "noopener noreferrer", title: "Opens these blocks in Slack's own editor" });
  const raw = element("details", "raw", element("summary", "", "Raw payload"), element("pre", "", JSON.stringify(post.payload, null, 2)));
  const name = post.payload.username ?? "signin-monitor";
  const avatar = element("img", "avatar");
  Object.assign(avatar, { src: "/icon.svg", alt: "", width: 36, height: 36 });
  return element(
    "article", "message", avatar,
    element("div", "content",
      element("p", "from", element("strong", "", name), element("span", "app", "APP"), time),
      payloadBody(post.payload),
      element("div", "tools", raw, builder)),
  );
}

function refusal(post) {
  return element("p", "refusal", `A post was answered with ${post.answer}`);
}

function show(posts) {
  const list = $("messages");
  const follow = isFollowing(list);
  list.append(...posts.map((post) => (post.answer === "ok" ? message(post) : refusal(post))));
  $("empty").hidden = list.childElementCount > 0;
  if (follow) showNewest();
  else if (posts.length) $("newest").hidden = false;
}

// --- the undelivered queue

const WINDOW_SECONDS = 60; // as on_undelivered is registered
let windowEnds = null;

// Where failures are summed up, Lambda's poller hands them over once its batching window is over.
function deliverAfterTheWindow(waiting) {
  const sumsUp = document.querySelector('input[name="failures"]:checked').value === "digest";
  if (!waiting || !sumsUp) {
    clearTimeout(windowEnds);
    windowEnds = null;
  } else if (windowEnds === null) {
    windowEnds = setTimeout(() => {
      windowEnds = null;
      $("deliver").click();
    }, WINDOW_SECONDS * 1000);
  }
}

function parked(entry) {
  const what = element("span", "what", [entry.event_name, entry.who].filter(Boolean).join(", ") || "an event");
  return element("li", "", what, element("span", "why", entry.act && entry.act !== "nobody" ? `${entry.reason}, to act: ${entry.act}` : entry.reason));
}

function showQueue(queue) {
  $("queue-count").textContent = queue.waiting;
  $("deliver").disabled = queue.waiting === 0;
  deliverAfterTheWindow(queue.waiting);
  $("queue-empty").hidden = queue.waiting > 0;
  const entries = queue.first.map(parked);
  if (queue.waiting > entries.length) entries.push(element("li", "quiet", `and ${queue.waiting - entries.length} more`));
  $("queue").replaceChildren(...entries);
}

// --- what became of a sign-in

function report(line, tone, details) {
  $("decision-line").textContent = line;
  $("decision-line").dataset.tone = tone;
  $("decision-details").hidden = details === undefined;
  $("decision-json").textContent = details === undefined ? "" : JSON.stringify(details, null, 2);
}

function tellOutcome(title, outcome) {
  const { decision, error } = outcome;
  if (!outcome.matched) return report(`${title}: the rule does not match this event, so EventBridge would not call the app.`, "odd", outcome);
  if (error) return report(`${title}: the invocation failed with ${error.type}, and Lambda would try it again. ${error.text}`, "bad", outcome);
  const because = decision.reason ? ` (${decision.reason})` : "";
  const more = decision.message ? ` ${decision.message}` : "";
  const tone = { posted: "good", ignored: "quiet", parked: "odd" }[decision.decision] ?? "bad";
  return report(`${title}: ${decision.decision}${because}, severity ${decision.severity}, ${outcome.milliseconds} ms.${more}`, tone, outcome);
}

const settings = () => ({ language: chosen("language"), failures: chosen("failures"), baseline: chosen("baseline") });

async function send(text, title) {
  report(`${title}: on its way …`, "busy");
  const outcome = await call("/sign-ins", { text, renew: $("renew").checked, ...settings() });
  tellOutcome(title, outcome);
  poll();
}

function tellError(title, error) {
  report(`${title}: ${error.message}`, "bad");
}

async function whileBusy(button, work) {
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function onClick(button, title, work) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled")) return;
    whileBusy(button, work).catch((error) => tellError(title, error));
  });
}

// --- the sign-ins to try

function edit(text) {
  $("editor").value = text;
  $("editor-fault").textContent = "";
}

async function tryOut(name, title) {
  const text = JSON.stringify(await call(`/sign-ins/${name}`), null, 2);
  edit(text);
  await send(text, title);
}

/** Many failures with different names, as an attacker makes them. */
async function spray(title) {
  const event = await call("/sign-ins/iam-user-wrong-password");
  for (const [count, name] of SPRAY_NAMES.entries()) {
    event.detail.userIdentity.userName = name;
    event.detail.sourceIPAddress = `198.51.100.${count % 3 ? 66 : 202}`;
    await send(JSON.stringify(event), `${title}, ${count + 1} of ${SPRAY_NAMES.length}`);
  }
}

function signInButton(title, work) {
  const button = element("button", "try", title);
  button.type = "button";
  onClick(button, title, work);
  return element("li", "", button);
}

function showGroups(groups) {
  $("groups").replaceChildren(...groups.map(({ title, sign_ins }, index) => {
    const list = element("ul", "tries", ...sign_ins.map((signIn) => signInButton(signIn.title, () => tryOut(signIn.name, signIn.title))));
    if (title === "Suspicious") list.append(signInButton("Password spray, 20 names", () => spray("Password spray")));
    const group = element("details", "group", element("summary", "", title), list);
    group.open = index < 3;
    return group;
  }));
}

// --- what runs on a schedule

async function audit() {
  report("The MFA audit: under way …", "busy");
  tellOutcome("The MFA audit", await call("/audits", settings()));
  poll();
}

async function selfCheck() {
  report("The rule is stopped, root signs in, the self-check looks …", "busy");
  const outcome = await call("/self-checks", settings());
  const { found, error } = outcome;
  if (error) report(`The self-check failed with ${error.type}. ${error.text}`, "bad", outcome);
  else {
    const total = Object.values(found).reduce((sum, count) => sum + count, 0);
    report(`The self-check: ${total} found that EventBridge had not delivered, ${outcome.milliseconds} ms. The rule is on again.`, "good", outcome);
  }
  poll();
}

// --- the editor

/** The offset of a line and column, both counted from 1. */
function offsetOf(text, line, column) {
  const lines = text.split("\n").slice(0, line - 1);
  return lines.reduce((sum, earlier) => sum + earlier.length + 1, 0) + column - 1;
}

async function sendEdited() {
  const editor = $("editor");
  $("editor-fault").textContent = "";
  try {
    await send(editor.value, "The event as edited");
  } catch (error) {
    if (error.line === undefined) throw error;
    $("editor-fault").textContent = error.message;
    report("The event as edited: not sent.", "bad");
    const offset = offsetOf(editor.value, error.line, error.column);
    editor.focus();
    editor.setSelectionRange(offset, offset + 1);
  }
}

// --- keeping up

function showConnection(text, tone) {
  if ($("connection").textContent === text) return;
  $("connection").textContent = text;
  $("connection").dataset.tone = tone;
}

/** Have the receiver answer as chosen, after what was chosen before. */
function chooseAnswer() {
  const body = { name: $("answer").value };
  choice = choice.then(() => call("/answer", body)).catch((error) => tellError("Slack's answer", error));
}

async function look() {
  const chosen = choice;
  await chosen;
  const channel = await call(`/channel?after=${after}`);
  if (channel.receiver && channel.receiver !== receiver) {
    const first = receiver === null;
    receiver = channel.receiver;
    if (!first) { // another demo, which counts from one again
      $("messages").replaceChildren();
      after = 0;
      return look();
    }
  }
  const posts = channel.posts.filter((post) => post.number > after);
  after = posts.at(-1)?.number ?? after;
  if (posts.length) show(posts);
  showQueue(channel.queue);
  // An answer that was read before the last choice arrived is not put back.
  if (chosen === choice && document.activeElement !== $("answer")) $("answer").value = channel.answer;
  return channel.receiver ? showConnection("live", "good") : showConnection("no receiver", "bad");
}

/** Look now, then again and again; only one look is ever under way. */
function poll() {
  looks = looks.then(look).catch(() => showConnection("the local stage does not answer", "bad")).then(() => {
    clearTimeout(polling);
    polling = setTimeout(poll, POLL_MS);
  });
}

function showMissing({ missing, command, consequence }) {
  $("missing").hidden = missing.length === 0;
  $("empty").hidden = missing.length > 0;
  $("missing-text").textContent = consequence;
  $("missing-command").textContent = command;
  $("missing-list").replaceChildren(...missing.map((name) => element("li", "", name)));
}

async function start() {
  const stage = await call("/stage");
  showMissing(stage);
  showGroups(stage.groups);
  $("answer").replaceChildren(...stage.answers.map(({ name, title }) => Object.assign(element("option", "", title), { value: name })));
  $("answer").addEventListener("change", chooseAnswer);
  document.querySelector(`input[name=language][value=${stage.language}]`).checked = true;
  document.querySelector(`input[name=failures][value=${stage.failures}]`).checked = true;
  $("baseline").hidden = !stage.has_baseline;
  $("newest").addEventListener("click", () => { showNewest(); $("messages").focus({ preventScroll: true }); });
  $("messages").addEventListener("scroll", () => { if (isFollowing($("messages"))) $("newest").hidden = true; });
  $("editor").addEventListener("input", () => { $("editor-fault").textContent = ""; });
  onClick($("send"), "The event as edited", sendEdited);
  onClick($("audit"), "The MFA audit", audit);
  onClick($("self-check"), "The self-check", selfCheck);
  onClick($("deliver"), "Delivery", async () => {
    const { received, left, error } = await call("/deliveries", settings());
    report(error ? `Delivery: ${received - left} of ${received} posted. ${error.type}: ${error.text}` : `Delivery: ${received} of ${received} posted.`, error ? "bad" : "good");
    poll();
  });
  poll();
}

start().catch(() => {
  showConnection("the local stage does not answer", "bad");
  setTimeout(() => location.reload(), 3 * POLL_MS);
});
