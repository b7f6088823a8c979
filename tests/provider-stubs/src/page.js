"use strict";

const list = document.getElementById("messages");
const state = document.getElementById("state");
let shown = "";

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function card(message) {
  const article = element("article");
  const head = element("div", "head");
  const time = element("time", "", new Date(message.at).toLocaleString());
  time.dateTime = message.at;
  head.append(element("span", "provider", message.provider), element("span", "to", message.to), time);
  article.append(head);
  if (message.title) article.append(element("p", "title", message.title));
  if (message.content) article.append(element("pre", "", message.content));
  if (message.html) {
    const details = element("details");
    details.append(element("summary", "", "HTML"));
    details.addEventListener("toggle", () => {
      if (details.querySelector("iframe")) return;
      const frame = element("iframe");
      frame.setAttribute("sandbox", "");
      frame.srcdoc = message.html;
      details.append(frame);
    });
    article.append(details);
  }
  if (message.template || message.params.length > 0) {
    const params = element("dl");
    params.append(element("dt", "", "template"), element("dd", "", message.template));
    for (const [name, text] of message.params) params.append(element("dt", "", name), element("dd", "", text));
    article.append(params);
  }
  const ids = [message.messageId, message.reference].filter(Boolean).join(" · ");
  if (ids) article.append(element("div", "ids", ids));
  return article;
}

async function refresh() {
  try {
    const body = await (await fetch("/_stub/messages")).json();
    const text = JSON.stringify(body);
    if (text === shown) return;
    shown = text;
    list.replaceChildren(...body.messages.slice(-200).reverse().map(card));
    const twice = body.duplicates > 0;
    state.textContent = `${body.messages.length} received` + (twice ? `, ${body.duplicates} twice` : "");
    state.className = twice ? "alarm" : "";
  } catch {
    state.textContent = "the stubs do not answer";
    shown = "";
  }
}

document.getElementById("forget").addEventListener("click", async () => {
  await fetch("/_stub/messages", { method: "DELETE" });
  await refresh();
});
setInterval(refresh, 2000);
refresh();
