// A table of many columns, whose rows a phone makes tall and nearly blank, gets the width that it
// wants and scrolls instead, where that shortens it by a third.
const TALL_ROW = 6; // lines
function widenTables() {
  for (const table of document.querySelectorAll(".pst-scrollable-table-container > table")) {
    table.classList.remove("pnc-tall");
    const body = table.tBodies[0], before = body?.offsetHeight ?? 0;
    if (window.innerWidth > 600 || !before || body.rows[0].cells.length < 3) continue;
    if (before / body.rows.length < TALL_ROW * parseFloat(getComputedStyle(table).lineHeight)) continue;
    table.classList.add("pnc-tall");
    if (body.offsetHeight > before * 2 / 3) table.classList.remove("pnc-tall");
  }
}
// What scrolls inside itself can be reached and scrolled by keyboard; what fits is no tab stop.
const SCROLLING = ".math-block, .pst-scrollable-table-container, .cell_output .output, .pnc-routing";
function markScrolling() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

function fit() {
  widenTables();
  markScrolling();
}
fit(); // before the reader sees it, and again when pictures and widgets are there
window.addEventListener("load", fit);
window.addEventListener("resize", fit);
