// What a page does on a phone with what is too wide for it.
const PHONE = 600; // px
const SENTENCE = 40; // letters: more is read, not compared
const TALL_ROW = 4, TALLER_ROW = 6; // lines
const LETTERS = 0.58; // of a figure's own size: its letters are then nine pixels tall
const PICTURES = ".cell_output > img, .cell_output > figure > img, .pnc-strip > img";
const COLUMNS = ".pst-scrollable-table-container > table";

// For book.css and screen readers, who lose a table's roles with its layout. A card's title: its
// row's first cell, or a number and the words after it.
function nameCells(table) {
  const [first, second] = [...table.tBodies[0].rows[0].cells].map((cell) => cell.textContent.trim());
  const numbered = first.length <= 4 && !/^[\d.,−-]+ ?(%|\(|$)/.test(second);
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map((head) => head.textContent.trim());
  table.setAttribute("role", "table");
  for (const part of [table.tHead, ...table.tBodies]) part?.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, i) => {
      cell.setAttribute("role", cell.tagName === "TH" ? "columnheader" : "cell");
      if (cell.tagName !== "TD") return;
      cell.dataset.label = heads[i] ?? "";
      cell.classList.toggle("pnc-key", numbered && i === 0);
      cell.classList.toggle("pnc-title", i === Number(numbered));
      cell.classList.toggle("pnc-bare", i === 0 && first.length <= 4 && !numbered);
      cell.classList.toggle("pnc-blank", !cell.textContent.trim());
    });
  }
}
// A table of sentences that would be wide or tall becomes a stack of cards, one a row. A table of
// numbers scrolls; where rows are tall all the same, in the width that it wants.
function fitTables() {
  for (const table of document.querySelectorAll(COLUMNS)) {
    table.classList.remove("pnc-cards", "pnc-tall");
    const body = table.tBodies[0], before = body?.offsetHeight ?? 0;
    if (window.innerWidth > PHONE || !before || body.rows[0].cells.length < 3) continue;
    const lines = before / body.rows.length / parseFloat(getComputedStyle(table).lineHeight);
    const wide = table.offsetWidth > 1.1 * table.parentElement.clientWidth;
    const longest = Math.max(...[...body.querySelectorAll("td")].map((td) => td.textContent.length));
    if ((lines > TALL_ROW || wide) && longest > SENTENCE) {
      nameCells(table);
      table.classList.add("pnc-cards");
    } else if (lines > TALLER_ROW) {
      table.classList.add("pnc-tall");
      if (body.offsetHeight > before * 2 / 3) table.classList.remove("pnc-tall");
    }
  }
}
// A figure whose letters would be too small keeps them legible, and scrolls in a box of its own.
function fitFigures() {
  for (const image of document.querySelectorAll(PICTURES)) {
    const own = image.naturalWidth, flat = own > 2 * image.naturalHeight;
    if (!own || (!flat && own < 700)) continue;
    if (window.innerWidth <= PHONE && !image.closest(".pnc-strip")) {
      const box = document.createElement("div");
      box.className = "pnc-strip";
      image.replaceWith(box);
      box.append(image);
    }
    image.style.setProperty("--pnc-legible", `${Math.round(LETTERS * own)}px`);
  }
}
// What scrolls inside itself can be reached and scrolled by keyboard; what fits is no tab stop. While
// something lies beyond its right edge, that edge fades.
const SCROLLING =
  ".math-block, .pst-scrollable-table-container, .cell_output .output, .cell_output pre, .pnc-routing, .pnc-strip, .pnc-scroll";
function fade(box) {
  box.classList.toggle("pnc-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
}
function markScrolling() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    fade(box);
    box.onscroll = () => fade(box);
  }
}

function fit() {
  fitTables();
  fitFigures();
  markScrolling();
}
fit(); // before the reader sees it, and again when pictures and widgets are there
window.addEventListener("load", fit);
window.addEventListener("resize", fit);
// A widget that is touched draws its tables anew.
new MutationObserver(() => requestAnimationFrame(markScrolling)).observe(document.body, {
  childList: true, subtree: true,
});
