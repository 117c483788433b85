// What scrolls inside itself can be reached and scrolled by keyboard; what fits is no tab stop.
const SCROLLING = ".math-block, .pst-scrollable-table-container, .cell_output .output, .pnc-routing";
function markScrolling() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
window.addEventListener("load", markScrolling);
window.addEventListener("resize", markScrolling);
