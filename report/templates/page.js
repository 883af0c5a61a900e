"use strict";
const sheets = [...document.querySelectorAll(".sheet")];

for (const sheet of sheets) {
  const audio = sheet.querySelector("audio");
  const axis = sheet.querySelector(".axis");
  if (!audio) continue;
  const cursor = sheet.querySelector(".cursor");
  const steps = [...sheet.querySelectorAll(".steps li")];
  const scroll = axis.parentElement;
  const seconds = Number(axis.dataset.seconds);
  let now = null;
  const draw = () => {
    const at = Math.min(audio.currentTime / seconds, 1);
    cursor.hidden = false;
    cursor.style.left = `${at * axis.clientWidth}px`;
    const step = steps[Math.min(steps.length - 1, Math.floor(at * steps.length))];
    if (step !== now) {
      if (now) now.classList.remove("now");
      step.classList.add("now");
      now = step;
      const left = step.offsetLeft;
      if (left < scroll.scrollLeft || left + step.clientWidth > scroll.scrollLeft + scroll.clientWidth) scroll.scrollLeft = left - 40;
    }
    if (!audio.paused) requestAnimationFrame(draw);
  };
  audio.addEventListener("play", draw);
  audio.addEventListener("seeked", draw);
  const seek = (to) => { audio.currentTime = Math.max(0, Math.min(to, audio.duration || seconds)); };
  axis.addEventListener("click", (event) => seek((event.clientX - axis.getBoundingClientRect().left) / axis.clientWidth * seconds));
  scroll.addEventListener("keydown", (event) => {
    if (event.key === " ") audio.paused ? audio.play() : audio.pause();
    else if (event.key === "ArrowRight") seek(audio.currentTime + 0.5);
    else if (event.key === "ArrowLeft") seek(audio.currentTime - 0.5);
    else return;
    event.preventDefault();
  });
}

const SHOWN = 50;
let all = null;
const found = document.getElementById("found");
const hits = document.getElementById("hits");
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const sheet of sheets) sheet.hidden = wanted !== "" && !sheet.dataset.text.includes(wanted);
  hits.replaceChildren();
  found.textContent = "";
  if (!wanted) return;
  all ??= JSON.parse(document.getElementById("all").textContent);
  const [ids, keys, shards, places] = all;
  let count = 0;
  for (let row = 0; row < ids.length; row++) {
    if (!ids[row].toLowerCase().includes(wanted) && !keys[row].toLowerCase().includes(wanted)) continue;
    if (++count > SHOWN) continue;
    const item = document.createElement("li");
    const drawn = document.getElementById(`sample-${keys[row]}`);
    const name = document.createElement(drawn ? "a" : "code");
    if (drawn) name.href = `#sample-${keys[row]}`;
    name.textContent = keys[row];
    item.append(name, ` ${ids[row]}, ${shards[places[row]]}`);
    hits.append(item);
  }
  const sheetsLeft = sheets.filter((sheet) => !sheet.hidden).length;
  found.textContent = `${count} samples by name${count > SHOWN ? `, the first ${SHOWN} listed` : ""}; ${sheetsLeft} of those drawn below`;
});
