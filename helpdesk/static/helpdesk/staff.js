// Small comforts for the staff pages; every page works without them.
document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-check-all]");
  if (all) for (const box of all.form.querySelectorAll("[name=ticket], [name=mail]")) box.checked = all.checked;
});

document.addEventListener("click", (event) => {
  const ask = event.target.closest("[data-confirm]");
  if (ask && !window.confirm(ask.dataset.confirm)) event.preventDefault();
  const show = event.target.closest("[data-show-images]");
  if (show) {
    event.preventDefault();
    const frame = show.closest("article").querySelector("iframe");
    frame.src = frame.src.split("?")[0] + "?images";
    show.parentElement.remove();
  }
});

// A mail's frame is as high as the mail, which tells its height itself: it is of no origin, and nobody looks into it.
addEventListener("message", (event) => {
  for (const frame of document.querySelectorAll("iframe.hd-mail")) {
    if (frame.contentWindow !== event.source) continue;
    const height = Number(event.data && event.data.height);
    if (height > 0) frame.style.height = Math.min(20000, Math.ceil(height)) + "px";
  }
});
for (const frame of document.querySelectorAll("iframe.hd-mail")) frame.contentWindow.postMessage("how high?", "*");

// The queue that is open is in sight where the tabs scroll.
const tab = document.querySelector(".hd-tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;

// Ctrl+Enter sends.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form && event.target.form.id === "reply") {
    event.target.form.requestSubmit();
  }
});
const kind = () => {
  const form = document.getElementById("reply");
  if (!form) return;
  const isNote = form.elements.kind.value === "note", { body } = form.elements;
  form.classList.toggle("hd-note", isNote);
  body.dataset.reply ??= body.placeholder;
  body.placeholder = isNote && !form.querySelector("[name=kind]:disabled") ? body.dataset.note : body.dataset.reply;
};
document.addEventListener("change", kind);
kind();

// The undo button counts down; when the time is over the page shows what became of the mail.
for (const form of document.querySelectorAll("[data-undo]")) {
  let left = Number(form.dataset.undo);
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) form.querySelector("[data-left]").textContent = left;
    else { clearInterval(timer); form.remove(); }
  }, 1000);
}
