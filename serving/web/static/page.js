// What this page does without scripts, it does with them too; they add suggestions of genes,
// dropping of files, and the values of a bin under the pointer.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  // === Sending ===

  function setUpForm() {
    const form = byId("ask");
    const buttons = [...form.querySelectorAll("button[type=submit]")];
    const rest = (isBusy) => {
      for (const button of buttons) {
        button.textContent = isBusy ? "Predicting\u2026" : "Predict";
        if (isBusy) button.setAttribute("aria-busy", "true");
        else button.removeAttribute("aria-busy");
      }
    };
    form.addEventListener("submit", (event) => {
      if (buttons.some((button) => button.hasAttribute("aria-busy"))) event.preventDefault();
      else if (!event.defaultPrevented) rest(true);
    });
    // Also when the browser comes back to the page as it was left.
    addEventListener("pageshow", () => rest(false));
  }

  // === Files ===

  function setUpFiles() {
    const [area, input, status] = [byId("drop"), byId("file"), byId("file-status")];
    const bySource = byId("by-csv");
    area.querySelector(".drop-hint").hidden = false;
    const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");

    const isTooLarge = () => {
      const [file] = input.files;
      const is = Boolean(file) && file.size > Number(area.dataset.maxBytes);
      status.classList.toggle("is-wrong", is);
      if (is) {
        const size = `${(file.size / 2 ** 20).toFixed(1)} MB`;
        status.textContent = `Expected a file of at most ${area.dataset.maxText}. Received: ${file.name}, ${size}. Split it, or use python -m serving.client.`;
      } else {
        status.textContent = file ? `${file.name} is ready: press Predict.` : "";
      }
      return is;
    };

    // Anywhere on the page: a file that misses its place would replace the page.
    let depth = 0;
    const show = (by) => {
      depth = by === 0 ? 0 : depth + by;
      area.classList.toggle("over", depth > 0);
    };
    document.addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      if (bySource) bySource.checked = true;
      show(1);
    });
    document.addEventListener("dragleave", (event) => carriesFiles(event) && show(-1));
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    });
    document.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      show(0);
      if (bySource) bySource.checked = true;
      const folded = area.closest("details.again");
      if (folded) folded.open = true;
      if (event.dataTransfer.files.length > 1) {
        status.classList.add("is-wrong");
        status.textContent = "Expected one file. Received: several. Drop them one after the other.";
        return;
      }
      input.files = event.dataTransfer.files;
      isTooLarge();
    });
    input.addEventListener("change", isTooLarge);
    byId("ask").addEventListener(
      "submit",
      (event) => {
        if (isTooLarge()) event.preventDefault();
      },
      { capture: true },
    );
  }

  // === Suggestions ===

  function setUpSearch() {
    const [box, list, status] = [byId("gene"), byId("suggestions"), byId("found")];
    let found = [];
    let active = -1;
    let asking = null;
    let timer = 0;
    box.setAttribute("role", "combobox");
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-expanded", "false");

    const activate = (n) => {
      list.children[active]?.setAttribute("aria-selected", "false");
      active = n;
      if (list.children[n]) {
        list.children[n].setAttribute("aria-selected", "true");
        list.children[n].scrollIntoView({ block: "nearest" });
        box.setAttribute("aria-activedescendant", list.children[n].id);
      } else {
        box.removeAttribute("aria-activedescendant");
      }
    };
    const open = (isOpen) => {
      list.hidden = !isOpen;
      box.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen) activate(-1);
    };
    const choose = (gene) => {
      box.value = gene.key;
      open(false);
      byId("ask").requestSubmit();
    };
    const suggest = async () => {
      asking?.abort();
      const text = box.value.trim();
      if (!text) {
        open(false);
        status.textContent = "";
        return;
      }
      asking = new AbortController();
      const query = new URLSearchParams({ dataset: byId("dataset").value, q: text });
      let answer;
      try {
        const response = await fetch(`/genes?${query}`, { signal: asking.signal });
        if (!response.ok) throw new Error(response.statusText);
        answer = await response.json();
      } catch (error) {
        if (error.name !== "AbortError") {
          open(false);
          status.textContent = "No suggestions: the page's own server does not answer.";
        }
        return;
      }
      found = answer.genes;
      active = -1;
      list.replaceChildren(
        ...found.map((gene, n) => {
          const about = [gene.name === gene.id ? "" : gene.id, gene.place].filter(Boolean).join(" ");
          const option = element(
            "li",
            { id: `suggestion-${n}`, role: "option", "aria-selected": "false" },
            element("bdi", {}, gene.name),
            element("small", {}, about),
          );
          // Before the input loses the focus.
          option.addEventListener("pointerdown", (event) => event.preventDefault());
          option.addEventListener("click", () => choose(gene));
          return option;
        }),
      );
      status.textContent = answer.number === 1 ? "1 gene" : `${answer.number.toLocaleString("en-US")} genes`;
      open(found.length > 0 && document.activeElement === box);
    };
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(suggest, 120);
    });
    box.addEventListener("blur", () => open(false));
    box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        if (list.hidden || !found.length) return;
        event.preventDefault();
        const by = event.key === "ArrowDown" ? 1 : -1;
        activate(active < 0 && by < 0 ? found.length - 1 : (active + by + found.length) % found.length);
      } else if (event.key === "Enter" && active >= 0) {
        event.preventDefault();
        choose(found[active]);
      } else if (event.key === "Escape") {
        open(false);
      }
    });
  }

  // === Values of a bin ===

  function setUpReadout() {
    const [table, slider, readout] = [byId("values"), byId("bin"), byId("readout")];
    const rows = [...table.tBodies[0].rows];
    const marks = [...table.tHead.rows[1].querySelectorAll("[data-mark]")];
    const drawings = [...document.querySelectorAll("svg.gene")];
    // What stands in the table beside the signal, such as alpha.
    const others = [...table.tHead.rows[0].querySelectorAll("th")].slice(1).map((th) => th.textContent);
    const [where, list] = readout.children;
    slider.parentElement.hidden = false;
    readout.hidden = false;

    const edges = (drawing) => [Number(drawing.dataset.left), Number(drawing.dataset.right)];

    /** Lay the slider's thumb, some 16 px wide, over the middles of the bins. */
    const align = () => {
      const drawing = drawings.find((of) => of.clientWidth);
      if (!drawing) return;
      const scale = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
      const [left, right] = edges(drawing).map((x) => x * scale);
      const bin = (right - left) / rows.length;
      slider.style.left = `${left + bin / 2 - 8}px`;
      slider.style.width = `${right - left - bin + 16}px`;
    };

    /** Show a bin, counted from 0. */
    const moveTo = (bin) => {
      slider.value = bin + 1;
      const cells = [...rows[bin].cells].map((cell) => cell.textContent);
      const place = cells[1].startsWith("bin") ? "" : `, ${cells[1]} from the TSS`;
      where.textContent = `Bin ${bin + 1} of ${rows.length}${place}`;
      list.replaceChildren(
        ...marks.map((mark, i) => {
          const more = others.flatMap((name, k) => [
            " ",
            element("small", {}, `${name} ${cells[2 + marks.length * (k + 1) + i]}`),
          ]);
          return element(
            "div",
            {},
            element("dt", {}, element("span", { class: `swatch ${mark.dataset.swatch}` }), mark.dataset.mark),
            element("dd", {}, cells[2 + i], ...more),
          );
        }),
      );
      const told = marks.map((mark, i) => `${mark.dataset.mark} ${cells[2 + i]}`);
      slider.setAttribute("aria-valuetext", `${where.textContent}: ${told.join(", ")}`);
      for (const drawing of drawings) {
        const [left, right] = edges(drawing);
        const cursor = drawing.querySelector(".cursor");
        cursor.setAttribute("x", left + ((right - left) * bin) / rows.length);
        cursor.setAttribute("width", (right - left) / rows.length);
        cursor.setAttribute("height", drawing.dataset.bottom - cursor.getAttribute("y"));
        cursor.classList.add("on");
      }
    };
    for (const drawing of drawings) {
      const point = (event) => {
        const scale = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
        const x = (event.clientX - drawing.getBoundingClientRect().left) / scale;
        const [left, right] = edges(drawing);
        const bin = Math.floor(((x - left) / (right - left)) * rows.length);
        if (bin >= 0 && bin < rows.length) moveTo(bin);
      };
      drawing.addEventListener("pointermove", point);
      drawing.addEventListener("pointerdown", point);
    }
    slider.addEventListener("input", () => moveTo(Number(slider.value) - 1));
    new ResizeObserver(align).observe(byId("plot"));
    align();
    moveTo(Number(slider.value) - 1);
  }

  setUpForm();
  setUpFiles();
  if (byId("gene")) setUpSearch();
  if (byId("values")) setUpReadout();
  document.documentElement.dataset.ready = "";
})();
