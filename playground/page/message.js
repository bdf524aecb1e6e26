// Draws a webhook payload as Slack shows it. Everything becomes DOM nodes and text,
// nothing is ever parsed as HTML, so text from strangers stays text.
// Sources: "Formatting text for app surfaces" and "Block Kit reference" in Slack's documentation.

const COLOURS = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };
const EMOJI = {
  bell: "🔔", closed_lock_with_key: "🔐", information_source: "ℹ️", key: "🔑", lock: "🔒", mag: "🔍",
  no_entry: "⛔", rotating_light: "🚨", shield: "🛡️", warning: "⚠️", white_check_mark: "✅", x: "❌",
};

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** The one reading of Slack's three escapes. */
function unescape(text) {
  return text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}

/** An http(s) address, or null: a javascript: link must never be made. */
function webAddress(text) {
  try {
    const url = new URL(unescape(text));
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, label) {
  const node = element("a", "", label);
  Object.assign(node, { href: address, target: "_blank", rel: "noopener noreferrer" });
  return node;
}

function sameDay(time, other) {
  return time.toDateString() === other.toDateString();
}

/** "Today", "Yesterday" or nothing, in the reader's own language. */
function prettyDay(when) {
  const day = 24 * 3600 * 1000;
  for (const offset of [0, -1, 1]) {
    if (sameDay(when, new Date(Date.now() + offset * day))) {
      const name = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(offset, "day");
      return name.charAt(0).toLocaleUpperCase() + name.slice(1);
    }
  }
  return "";
}

function dateToken(name, when) {
  const format = (options) => new Intl.DateTimeFormat(undefined, options).format(when);
  const short = { year: "numeric", month: "short", day: "numeric" };
  const date = { ...short, month: "long" };
  const long = { ...date, weekday: "long" };
  switch (name) {
    case "date_num": return `${when.getFullYear()}-${String(when.getMonth() + 1).padStart(2, "0")}-${String(when.getDate()).padStart(2, "0")}`;
    case "date": return format(date);
    case "date_short": return format(short);
    case "date_long": return format(long);
    case "date_pretty": return prettyDay(when) || format(date);
    case "date_short_pretty": return prettyDay(when) || format(short);
    case "date_long_pretty": return prettyDay(when) || format(long);
    case "time": return format({ hour: "numeric", minute: "2-digit" });
    case "time_secs": return format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
    default: return null;
  }
}

/** `<!date^EPOCH^FORMAT^LINK|FALLBACK>`: the reader's own zone, the fallback where it cannot be read. */
function date(body) {
  const [, epoch, format, address, fallback] = /^!date\^(\d{1,12})\^([^^|]*)(?:\^([^|]*))?\|(.*)$/s.exec(body) ?? [];
  if (epoch === undefined) return null;
  const when = new Date(Number(epoch) * 1000);
  const text = unescape(format).replace(/\{(\w+)\}/g, (token, name) => dateToken(name, when) ?? token);
  const node = element("time", "", address && webAddress(address) ? link(webAddress(address), text) : text);
  node.dateTime = when.toISOString();
  node.title = unescape(fallback);
  return node;
}

/** What stands between `<` and `>`: a mention, a date, a link. */
function angle(body) {
  const [target, label] = body.split(/\|(.*)/s);
  if (target.startsWith("!date^")) return date(body) ?? unescape(label ?? target);
  if (target.startsWith("!subteam^")) return element("span", "mention group", unescape(label ?? "@user-group"));
  if (/^!(here|channel|everyone)$/.test(target)) return element("span", "mention group", `@${target.slice(1)}`);
  if (/^@[UW]\w+$/.test(target)) return element("span", "mention", `@${unescape(label ?? target.slice(1))}`);
  if (/^#C\w+$/.test(target)) return element("span", "mention", `#${unescape(label ?? target.slice(1))}`);
  const address = webAddress(target);
  return address ? link(address, unescape(label ?? target)) : unescape(label ?? target);
}

const edge = String.raw`(?<![\p{L}\p{N}])`;
const end = String.raw`(?![\p{L}\p{N}])`;
const INLINE = new RegExp(
  [
    "<(?<angle>[^<>\\n]+)>",
    "```(?<pre>[^]+?)```",
    "`(?<code>[^`\\n]+)`",
    `${edge}\\*(?<b>\\S|\\S[^*\\n]*\\S)\\*${end}`,
    `${edge}_(?<i>\\S|\\S[^_\\n]*\\S)_${end}`,
    `${edge}~(?<s>\\S|\\S[^~\\n]*\\S)~${end}`,
    ":(?<emoji>[a-z0-9_+-]+):",
  ].join("|"),
  "gu",
);

/** Slack's markup as nodes. */
export function mrkdwn(text) {
  const fragment = document.createDocumentFragment();
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    fragment.append(unescape(text.slice(done, match.index)));
    done = match.index + match[0].length;
    const { angle: body, pre, code, emoji, ...marks } = match.groups;
    const [tag] = Object.keys(marks).filter((name) => marks[name] !== undefined);
    if (body !== undefined) fragment.append(angle(body));
    else if (pre !== undefined) fragment.append(element("pre", "", unescape(pre)));
    else if (code !== undefined) fragment.append(element("code", "", unescape(code)));
    else if (emoji !== undefined) fragment.append(EMOJI[emoji] ?? match[0]);
    else fragment.append(element(tag, "", mrkdwn(marks[tag])));
  }
  fragment.append(unescape(text.slice(done)));
  return fragment;
}

function textObject(object) {
  if (object?.type === "mrkdwn") return mrkdwn(String(object.text));
  return unescape(String(object?.text ?? "")).replace(/:([a-z0-9_+-]+):/g, (code, name) => (object.emoji === false ? code : EMOJI[name] ?? code));
}

const BLOCKS = {
  header: (block) => element("h3", "block-header", textObject(block.text)),
  divider: () => element("hr", "block-divider"),
  context: (block) => element("div", "block-context", ...block.elements.map((part) => element("span", "", textObject(part)))),
  section: (block) => {
    const node = element("div", "block-section");
    if (block.text) node.append(element("div", "text", textObject(block.text)));
    if (block.fields) node.append(element("div", "fields", ...block.fields.map((field) => element("div", "field", textObject(field)))));
    return node;
  },
};

function blocks(list) {
  return (list ?? []).map((block) => BLOCKS[block.type]?.(block) ?? element("p", "quiet", `(a block of type ${block.type})`));
}

function attachment(content) {
  const node = element("div", "attachment", ...blocks(content.blocks));
  const colour = COLOURS[content.color] ?? content.color;
  if (/^#[0-9a-f]{6}$/i.test(colour ?? "")) node.style.setProperty("--bar", colour);
  if (content.pretext) node.prepend(element("p", "text", mrkdwn(content.pretext)));
  if (content.text) node.append(element("p", "text", mrkdwn(content.text)));
  return node;
}

/** The content of one message; `text` shows only where no top-level block does. */
export function payloadBody(payload) {
  const body = element("div", "body");
  if (payload.blocks?.length) body.append(...blocks(payload.blocks));
  else if (payload.text) body.append(element("p", "text", mrkdwn(String(payload.text))));
  body.append(...(payload.attachments ?? []).map(attachment));
  return body;
}

/** Slack's own editor with these blocks in it ("Block Kit Builder"). */
export function builderAddress(payload) {
  const all = [...(payload.blocks ?? []), ...(payload.attachments ?? []).flatMap((content) => content.blocks ?? [])];
  return `https://app.slack.com/block-kit-builder/#${encodeURIComponent(JSON.stringify({ blocks: all }))}`;
}
