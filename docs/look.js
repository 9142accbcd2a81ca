// What a reader of this page cannot see, as a list of texts; run in the page at one width.
(() => {
  const faults = [], root = document.documentElement, name = node => `${node.tagName.toLowerCase()}${node.id ? "#" + node.id : ""} "${(node.textContent || "").trim().slice(0, 40)}"`;
  if (root.scrollWidth > root.clientWidth + 1) faults.push(`page is wider than the window by ${root.scrollWidth - root.clientWidth}`);
  const scrolls = node => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const main = document.querySelector("article") || document.body;
  for (const node of main.querySelectorAll("pre, table, mjx-container, div.math, .cell_output, svg[role=img], img")) {
    if (node.closest("details:not([open])") || !node.getClientRects().length || node.parentElement.closest("mjx-container")) continue;
    let box = node.getBoundingClientRect(), right = box.left + Math.max(box.width, scrolls(node) ? 0 : node.scrollWidth || 0);
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
      if (scrolls(up)) break;
      const edge = up.getBoundingClientRect().right;
      if (getComputedStyle(up).overflowX !== "visible" && right > edge + 1.5) faults.push(`${name(node)} is cut off by ${Math.round(right - edge)}`);
      if (up === main && right > edge + 1.5) faults.push(`${name(node)} runs over the column by ${Math.round(right - edge)}`);
    }
    for (const box of [node, node.parentElement]) {
      if (scrolls(box) && box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).display !== "inline" && box.offsetHeight - box.clientHeight < 4)
        faults.push(`${name(box)} scrolls and does not show it`);
    }
  }
  for (const img of document.querySelectorAll("img")) if (!img.alt || /\.(png|svg|jpe?g)$/.test(img.alt)) faults.push(`picture ${img.src.slice(-40)} without words`);
  for (const svg of main.querySelectorAll("svg")) {
    if (!svg.closest("mjx-container, [aria-hidden=true], button, a, .headerlink, label") && !svg.querySelector("title") && !svg.closest("[aria-label]")) faults.push(`picture ${name(svg)} without words`);
  }
  return [...new Set(faults)];
})()
