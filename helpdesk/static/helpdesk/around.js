// What stands around the staff site's own pages: light or dark, and the menu. Both are remembered where unfold does it.
const remembered = (name, otherwise) => {
  try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
};
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => {
  const theme = remembered("adminTheme", "auto"), root = document.documentElement;
  root.classList.toggle("dark", theme === "dark" || (theme === "auto" && dark.matches));
  root.classList.toggle("light", theme === "light");
  root.classList.toggle("hd-folded", remembered("sidebarDesktopOpen", 1) === 0);
  for (const button of document.querySelectorAll("[data-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
  }
};
paint();
dark.addEventListener("change", paint);
addEventListener("storage", paint);
addEventListener("DOMContentLoaded", () => {
  paint();
  document.querySelector(".hd-nav .active")?.scrollIntoView({ block: "nearest" });
});

addEventListener("click", (event) => {
  const theme = event.target.closest("[data-theme]");
  if (theme) localStorage.setItem("adminTheme", JSON.stringify(theme.dataset.theme));
  if (event.target.closest("[data-fold]")) {
    localStorage.setItem("sidebarDesktopOpen", document.documentElement.classList.contains("hd-folded") ? "1" : "0");
  }
  paint();
  const menu = document.querySelector(".hd-user[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll(".hd-user[open]")) menu.open = false;
    if (location.hash === "#hd-nav") location.hash = "content";
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.documentElement.classList.remove("hd-folded");
    if (getComputedStyle(document.querySelector(".hd-nav")).display === "none") location.hash = "hd-nav";
    document.querySelector(".hd-find input").focus();
  }
});
