"use strict";
// Tables whose headings sort: numbers by value, other cells as text; cells without a value are last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.ariaSort !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent;
      const known = [...body.rows].filter((row) => text(row) !== "-");
      const numbers = known.every((row) => !Number.isNaN(parseFloat(text(row))));
      const order = numbers
        ? (a, b) => parseFloat(text(a)) - parseFloat(text(b))
        : (a, b) => text(a).localeCompare(text(b), "en", { numeric: true });
      known.sort((a, b) => (descending ? order(b, a) : order(a, b)));
      body.prepend(...known);
    });
  });
}
