
"use strict";
// Read-outs that follow the pointer. The page is whole without this.
const tip = document.createElement("div");
tip.id = "tip";
document.body.append(tip);
const words = new WeakMap();
for (const hit of document.querySelectorAll(".hit")) {
  const title = hit.querySelector("title");
  words.set(hit, title.textContent);
  title.remove();
}
let lit = null;
function look(event) {
  const hit = event.target.closest ? event.target.closest(".hit") : null;
  if (lit && lit !== hit) lit.classList.remove("lit");
  lit = hit;
  tip.hidden = !hit;
  if (!hit) return;
  hit.classList.add("lit");
  tip.textContent = words.get(hit);
  const box = hit.getBoundingClientRect();
  const wide = tip.offsetWidth;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - wide / 2), document.documentElement.clientWidth - wide - 8);
  tip.style.left = left + scrollX + "px";
  tip.style.top = box.top + scrollY - tip.offsetHeight - 6 + "px";
}
document.addEventListener("pointerover", look);
document.addEventListener("pointerdown", look);
