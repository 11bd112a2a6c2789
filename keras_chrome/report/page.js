"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const isRegression = data.task === "regression";
  const isRight = (genes, i) => (genes.probability[i] >= 0.5) === (genes.label[i] === 1);
  /** Of regression, how far the prediction lies above what was measured. */
  const errorOf = (genes, i) => genes.predicted[i] - genes.measured[i];

  const canUnpack = "DecompressionStream" in globalThis;

  // === Elements ===

  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  const html = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  let numTitles = 0;

  /** A drawing whose title and description a screen reader reads out. */
  function drawing(width, height, title, description, ...children) {
    const id = `drawing-${numTitles++}`;
    return svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id} ${id}-more` },
      svg("title", { id }, title),
      svg("desc", { id: `${id}-more` }, description),
      ...children,
    );
  }

  // === Numbers ===

  const minus = (text) => text.replace("-", "\u2212");
  const count = (value) => minus(value.toLocaleString("en-US"));
  const decimals = (value, digits) => minus(value.toFixed(digits));

  /** Two decimals and a sign; what rounds to zero is not below it. */
  const signed = (value) => {
    const rounded = Math.round(value * 100) / 100 + 0;
    return (rounded < 0 ? "" : "+") + decimals(rounded, 2);
  };

  /** Three digits that matter, without a row of zeros. */
  function brief(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1000) return count(Math.round(value));
    if (size < 0.001) return minus(value.toExponential(1));
    return minus(String(Number(value.toPrecision(3))));
  }

  /** Round numbers that span from low to high. */
  function ticks(low, high, number) {
    const rough = (high - low) / number || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      found.push(Number((i * step).toPrecision(12)));
    }
    return found;
  }

  const scale = (low, high, from, to) => (value) =>
    from + ((value - low) / (high - low || 1)) * (to - from);
  const round = (value) => Math.round(value * 100) / 100;
  const line = (points) =>
    points.map(([x, y], i) => `${i ? "L" : "M"}${round(x)} ${round(y)}`).join("");

  /** Values as a line of steps, each as wide as its bin. */
  function steps(values, x, y) {
    return values
      .map((value, i) => `${i ? "L" : "M"}${round(x(i))} ${round(y(value))}H${round(x(i + 1))}`)
      .join("");
  }

  // === Charts ===

  /** Axes, grid and ticks of a chart, and the scales to draw on it. */
  function frame({ width, height, x, y, xLabel, yLabel, numX = 5, numY = 5, xText, yText }) {
    const box = { left: 46, right: width - 12, top: 12, bottom: height - 40 };
    const toX = scale(...x, box.left, box.right);
    const toY = scale(...y, box.bottom, box.top);
    const yTicks = ticks(...y, numY);
    const digits = Math.max(0, ...yTicks.map((t) => (String(t).split(".")[1] || "").length));
    const parts = yTicks.flatMap((tick) => [
      svg("line", { class: "grid", x1: box.left, x2: box.right, y1: toY(tick), y2: toY(tick) }),
      svg(
        "text",
        { class: "tick", x: box.left - 7, y: toY(tick) + 3.5, "text-anchor": "end" },
        yText ? yText(tick) : decimals(tick, digits),
      ),
    ]);
    for (const tick of ticks(...x, numX)) {
      parts.push(
        svg(
          "text",
          { class: "tick", x: toX(tick), y: box.bottom + 16, "text-anchor": "middle" },
          xText ? xText(tick) : minus(String(tick)),
        ),
      );
    }
    parts.push(
      svg("path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` }),
      svg(
        "text",
        { class: "label", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" },
        xLabel,
      ),
      svg("text", { class: "label", x: box.left, y: 2 }, yLabel),
    );
    return { parts, toX, toY, box };
  }

  /** Names of series in their colours, above a chart on the right. */
  function legend(box, series) {
    const names = series.flatMap(({ name, isMain }, i) => [
      i ? "\u2003" : "",
      svg("tspan", { class: isMain ? "main-text" : "other-text" }, name),
    ]);
    return svg("text", { class: "label", x: box.right, y: 2, "text-anchor": "end" }, ...names);
  }

  const SIZE = { width: 360, height: 280 };

  function curve(run, points, { title, description, xLabel, yLabel, guess, isStepped }) {
    const { parts, toX, toY } = frame({ ...SIZE, x: [0, 1], y: [0, 1], xLabel, yLabel });
    const scaled = points.map(([x, y]) => [toX(x), toY(y)]);
    // Precision between two recalls is that of the higher one.
    const path = isStepped
      ? scaled.map(([x, y], i) => (i ? `V${round(y)}H${round(x)}` : `M${round(x)} ${round(y)}`)).join("")
      : line(scaled);
    return drawing(
      SIZE.width,
      SIZE.height,
      title,
      description,
      ...parts,
      svg("path", { class: "guess", d: line(guess.map(([x, y]) => [toX(x), toY(y)])) }),
      svg("path", { class: "main-line", d: path }),
    );
  }

  function learning(run, series, { title, yLabel }) {
    const { epoch, best_epoch: best } = run.history;
    const values = series.flatMap(({ values }) => values).filter((v) => v !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = (high - low) * 0.08 || 0.01;
    const [first, last] = [epoch[0], epoch[epoch.length - 1]];
    const { parts, toX, toY, box } = frame({
      ...SIZE,
      x: first === last ? [first - 1, last + 1] : [first, last],
      y: [low - margin, high + margin],
      xLabel: "epoch",
      yLabel,
      xText: (tick) => (Number.isInteger(tick) ? String(tick) : ""),
    });
    if (best) {
      parts.push(
        svg("path", { class: "guess", d: `M${round(toX(best))} ${box.top}V${box.bottom}` }),
      );
    }
    for (const { values: of, isMain } of series) {
      const points = of.map((v, i) => [v, i]).filter(([v]) => v !== null);
      const scaled = points.map(([v, i]) => [toX(epoch[i]), toY(v)]);
      parts.push(svg("path", { class: isMain ? "main-line" : "other-line", d: line(scaled) }));
    }
    if (series.length > 1) parts.push(legend(box, series));
    const numbers = series.map(({ name, values: of }) => `${name} ${of.map((v) => brief(v ?? NaN)).join(", ")}`);
    return drawing(SIZE.width, SIZE.height, title, `By epoch: ${numbers.join("; ")}`, ...parts);
  }

  const charts = {
    profiles(run) {
      const { flankBp, binBp, marks } = run.quality;
      return marks.map((of) => {
        const [width, height] = [190, 128];
        const high = of.profile_high || of.profile;
        const low = of.profile_high ? of.profile_low : null;
        const top = Math.max(...high, ...(low || [])) || 1;
        const x = scale(0, high.length, 6, width - 6);
        const y = scale(0, top, height - 24, 26);
        const atBp = (bp) => x((bp + flankBp) / binBp);
        const peak = of.profile.indexOf(Math.max(...of.profile));
        return drawing(
          width,
          height,
          `Mean signal of ${data.marks[of.mark]}`,
          `Highest, at ${brief(of.profile[peak])}, ${count(peak * binBp - flankBp)} bp from the TSS`,
          svg("text", { class: "name", x: 6, y: 13 }, data.marks[of.mark]),
          svg("text", { class: "tick", x: width - 6, y: 13, "text-anchor": "end" }, `max ${brief(top)}`),
          svg("path", { class: "guess", d: `M${atBp(0)} 22V${height - 24}` }),
          low && svg("path", { class: "other-line", d: steps(low, x, y) }),
          svg("path", { class: `profile mark-${of.mark}`, d: steps(high, x, y) }),
          svg("path", { class: "axis", d: `M6 ${height - 24}H${width - 6}` }),
          svg("text", { class: "tick", x: 6, y: height - 9 }, `${brief(-flankBp / 1000)} kb`),
          svg("text", { class: "tick", x: atBp(0), y: height - 9, "text-anchor": "middle" }, "TSS"),
          svg(
            "text",
            { class: "tick", x: width - 6, y: height - 9, "text-anchor": "end" },
            `+${brief((high.length * binBp - flankBp) / 1000)}`,
          ),
        );
      });
    },
    loss(run) {
      const { loss, val_loss } = run.history;
      const series = [
        { name: "training", values: loss },
        { name: "validation", values: val_loss, isMain: true },
      ];
      return [learning(run, series, { title: "Loss by epoch", yLabel: "loss" })];
    },
    "val-auroc"(run) {
      const series = [{ name: "validation", values: run.history.val_auroc, isMain: true }];
      return [learning(run, series, { title: "Validation AUROC by epoch", yLabel: "AUROC" })];
    },
    "val-pearson"(run) {
      const series = [{ name: "validation", values: run.history.val_pearson, isMain: true }];
      return [learning(run, series, { title: "Validation Pearson's r by epoch", yLabel: "Pearson\u2019s r" })];
    },
    scatter(run) {
      const values = run.scatter.flat();
      const [low, high] = [Math.min(0, ...values), Math.max(...values)];
      const margin = (high - low) * 0.03;
      const ends = [low - margin, high + margin];
      const { parts, toX, toY } = frame({
        ...SIZE,
        x: ends,
        y: ends,
        xLabel: `measured ${run.scale}`,
        yLabel: `predicted ${run.scale}`,
      });
      const points = run.scatter.map(([x, y]) => `M${round(toX(x))} ${round(toY(y))}h0`).join("");
      // Fainter where many genes lie on each other.
      const opacity = round(Math.min(0.8, Math.max(0.12, 12 / Math.sqrt(run.scatter.length))));
      parts.push(
        svg("path", { class: "points", d: points, "stroke-opacity": opacity }),
        svg("path", { class: "guess", d: line(ends.map((end) => [toX(end), toY(end)])) }),
      );
      for (const of of run.tenths) {
        const told = `${count(of.num_genes)} genes: predicted ${decimals(of.predicted, 2)}, measured ${decimals(of.measured, 2)} in the mean`;
        const at = { cx: round(toX(of.measured)), cy: round(toY(of.predicted)) };
        parts.push(svg("circle", { class: "dot mean", ...at, r: 4.5 }, svg("title", {}, told)));
      }
      const told = `Pearson's r ${decimals(run.metrics.pearson, 3)}, Spearman's ${decimals(run.metrics.spearman, 3)}, R2 ${decimals(run.metrics.r2, 3)}`;
      return [drawing(SIZE.width, SIZE.height, "Predicted against measured", told, ...parts)];
    },
    errors(run) {
      const { counts, low, high } = run.errors;
      const { parts, toX, toY, box } = frame({
        ...SIZE,
        x: [low, high],
        y: [0, Math.max(...counts) * 1.08],
        xLabel: `predicted less measured ${run.scale}`,
        yLabel: "genes",
        yText: count,
      });
      const width = (box.right - box.left) / counts.length;
      counts.forEach((value, i) => {
        const size = { width: width - 1, height: box.bottom - toY(value) };
        parts.push(svg("rect", { class: "bar-high", x: box.left + i * width + 0.5, y: toY(value), ...size }));
      });
      parts.push(svg("path", { class: "guess", d: `M${round(toX(0))} ${box.top}V${box.bottom}` }));
      const told = `${counts.join(", ")} genes in ${counts.length} bins from ${decimals(low, 1)} to ${decimals(high, 1)}`;
      return [drawing(SIZE.width, SIZE.height, "Errors", told, ...parts)];
    },
    roc(run) {
      return [
        curve(run, run.roc, {
          title: "ROC curve",
          description: `The area under it is ${decimals(run.metrics.auroc, 3)}`,
          xLabel: "false positive rate",
          yLabel: "true positive rate",
          guess: [[0, 0], [1, 1]],
        }),
      ];
    },
    "precision-recall"(run) {
      const rate = run.metrics.positive_rate;
      return [
        curve(run, run.precisionRecall, {
          title: "Precision-recall curve",
          description: `Average precision ${decimals(run.metrics.auprc, 3)}; a guess has ${decimals(rate, 3)}`,
          xLabel: "recall",
          yLabel: "precision",
          guess: [[0, rate], [1, rate]],
          isStepped: true,
        }),
      ];
    },
    calibration(run) {
      const { parts, toX, toY } = frame({
        ...SIZE,
        x: [0, 1],
        y: [0, 1],
        xLabel: "predicted probability of high",
        yLabel: "observed share of high",
      });
      parts.push(svg("path", { class: "guess", d: line([[toX(0), toY(0)], [toX(1), toY(1)]]) }));
      const points = run.calibration.map((bin) => [toX(bin.predicted), toY(bin.observed)]);
      parts.push(svg("path", { class: "main-line", d: line(points), "stroke-opacity": 0.45 }));
      run.calibration.forEach((bin, i) => {
        const [x, y] = points[i];
        const whisker = `M${round(x)} ${round(toY(bin.observed_low))}V${round(toY(bin.observed_high))}`;
        const told = `${count(bin.num_genes)} genes: predicted ${decimals(bin.predicted, 3)}, observed ${decimals(bin.observed, 3)}`;
        parts.push(
          svg("path", { class: "whisker", d: whisker }),
          svg("circle", { class: "dot", cx: round(x), cy: round(y), r: 4.5 }, svg("title", {}, told)),
        );
      });
      const error = `Expected calibration error ${decimals(run.metrics.ece, 3)}`;
      return [drawing(SIZE.width, SIZE.height, "Calibration", error, ...parts)];
    },
    histogram(run) {
      const [low, high] = run.histogram;
      const top = Math.max(...low, ...high);
      const { parts, toX, toY, box } = frame({
        ...SIZE,
        x: [0, 1],
        y: [0, top * 1.08],
        xLabel: "predicted probability of high",
        yLabel: "genes",
        yText: count,
      });
      const width = (box.right - box.left) / low.length;
      for (let i = 0; i < low.length; i++) {
        for (const [value, name, shift] of [[low[i], "bar-low", 0], [high[i], "bar-high", 0.5]]) {
          const x = toX(i / low.length) + width * shift + 0.5;
          const size = { width: width / 2 - 1, height: box.bottom - toY(value) };
          parts.push(svg("rect", { class: name, x, y: toY(value), ...size }));
        }
      }
      const series = [{ name: "labelled low" }, { name: "labelled high", isMain: true }];
      parts.push(legend(box, series));
      const told = `Labelled low: ${low.join(", ")}; labelled high: ${high.join(", ")}, in ${low.length} bins from 0 to 1`;
      return [drawing(SIZE.width, SIZE.height, "Predicted probabilities by label", told, ...parts)];
    },
  };

  // === Tables ===

  /** What a cell is sorted by: a number, NaN where there is none, or text. */
  function valueOf(cell) {
    if (!cell.classList.contains("number")) return cell.textContent;
    const text = cell.dataset.value ?? cell.textContent;
    return Number.parseFloat(text.replaceAll(",", "").replace("\u2212", "-"));
  }

  function compare(a, b) {
    if (typeof a === "string") return a.localeCompare(b);
    return a - b;
  }

  function makeSortable(table) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = html("button", { type: "button", class: "sort" }, ...heading.childNodes);
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column]), row]);
        // What is unknown stays last.
        const known = rows.filter(([value]) => !Number.isNaN(value));
        known.sort(([a], [b]) => down * compare(a, b));
        const unknown = rows.filter(([value]) => Number.isNaN(value));
        table.tBodies[0].append(...[...known, ...unknown].map(([, row]) => row));
      });
    });
  }

  /** A choice for each column of few words, by which the rows are parted. */
  function makeFiltered(table, place) {
    const rows = [...table.tBodies[0].rows];
    const chosen = new Map();
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!heading.classList.contains("text")) return;
      const words = [...new Set(rows.map((row) => row.cells[column].textContent))];
      if (words.length < 2 || words.length > 12) return;
      const select = html("select", {}, html("option", { value: "" }, "all"));
      select.append(...words.map((word) => html("option", { value: `=${word}` }, word)));
      select.addEventListener("change", () => {
        chosen.set(column, select.value);
        for (const row of rows) {
          row.hidden = [...chosen].some(([c, v]) => v && v !== `=${row.cells[c].textContent}`);
        }
      });
      place.append(html("label", {}, `${heading.textContent} `, select));
    });
    place.hidden = !place.children.length;
  }

  // === Genes ===

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  /** What was unpacked, once. */
  const unpacked = new Map();
  function once(id, decode) {
    if (!unpacked.has(id)) unpacked.set(id, unpack(id).then(decode));
    return unpacked.get(id);
  }

  /** A name as it is compared: without case, the version of an id, and the commas of a place. */
  function comparable(name) {
    const plain = name.trim().toUpperCase();
    const id = /^(ENS[A-Z]*\d{11}|[NX][MR]_\d+)\.\d+(?:_\d+)?(_PAR_Y)?$/.exec(plain);
    if (id) return id[1] + (id[2] || "");
    return plain.includes(":") ? plain.replaceAll(",", "") : plain;
  }

  /** The genes that are called so: some symbols are shared, and a gene may have several TSSs. */
  const called = (genes, name) => genes.named.get(comparable(name)) || [];

  function geneTable(place) {
    return once(`genes-${place}`, (buffer) => {
      const genes = JSON.parse(new TextDecoder().decode(buffer));
      genes.place = genes.tss.map((tss, i) => (tss < 0 ? "" : `${genes.chrom[i]}:${tss}`));
      genes.named = new Map();
      for (const [i, id] of genes.id.entries()) {
        const names = [genes.name[i], id, genes.symbol[i], genes.transcript[i], genes.place[i]];
        for (const name of new Set(names.filter(Boolean).map(comparable))) {
          genes.named.set(name, [...(genes.named.get(name) || []), i]);
        }
      }
      const all = [...genes.id.keys()];
      const names = new Intl.Collator("en", { numeric: true });
      // How sure the model is, and negative where it is wrong.
      const margin = isRegression
        ? (i) => -Math.abs(errorOf(genes, i))
        : (i) => (isRight(genes, i) ? 1 : -1) * Math.abs(genes.probability[i] - 0.5);
      const answer = isRegression ? genes.predicted : genes.probability;
      genes.orders = {
        name: [...all].sort((a, b) => names.compare(genes.name[a], genes.name[b])),
        answer: [...all].sort((a, b) => answer[b] - answer[a]),
        wrong: [...all].sort((a, b) => margin(a) - margin(b)),
      };
      return genes;
    });
  }

  /** The layers of one gene, a typed array a mark; the format is that of encode.py. */
  async function geneLayers(run, place, gene) {
    const chunk = Math.floor(gene / run.genesAChunk);
    const numGenes = Math.min(run.genesAChunk, run.numGenes - chunk * run.genesAChunk);
    const row = gene - chunk * run.genesAChunk;
    const buffer = await once(`chunk-${place}-${chunk}`, (content) => content);
    const [numMarks, numBins] = [run.marks.length, run.numBins];
    const plane = numMarks * numGenes * numBins;
    const view = new DataView(buffer);
    let at = 0;
    const found = {};
    const floats = () => {
      const start = at + 4 * row * numMarks;
      at += 4 * numGenes * numMarks;
      return run.marks.map((_, mark) => view.getFloat32(start + 4 * mark, true));
    };
    const bytes = () => {
      const start = at;
      at += plane;
      return run.marks.map(
        (_, mark) => new Uint8Array(buffer, start + (mark * numGenes + row) * numBins, numBins),
      );
    };
    for (const layer of run.layers) {
      if (layer.kind === "float32") {
        found[layer.name] = floats();
      } else if (layer.kind === "steps") {
        const [low, high] = [bytes(), bytes()];
        found[layer.name] = low.map((values, mark) =>
          Array.from(values, (value, bin) => (value + 256 * high[mark][bin]) / layer.divisor),
        );
      } else {
        const [lowest, highest] = [floats(), floats()];
        found[layer.name] = bytes().map((differences, mark) => {
          let level = 0;
          return Array.from(differences, (difference) => {
            level = (level + difference) & 255;
            return lowest[mark] + (level * (highest[mark] - lowest[mark])) / 255;
          });
        });
      }
    }
    return found;
  }

  // === The plot of a gene ===

  /** Where everything goes, for a plot of this width. */
  function layout(width, numMarks, layers) {
    const isNarrow = width < 560;
    const strips = ["alpha", "saliency"].filter((name) => layers[name]);
    const box = {
      left: isNarrow ? 50 : 118,
      right: width - (isNarrow || !layers.beta ? 6 : 112),
      top: 30,
    };
    const head = isNarrow ? 20 : 6;
    const area = isNarrow ? 40 : 48;
    const sums = layers.adds ? 26 : 0;
    const row = head + area + 4 + strips.length * 12 + sums + 12;
    const bottom = box.top + numMarks * row;
    return { isNarrow, strips, sums, ...box, head, area, row, bottom, height: bottom + 36 };
  }

  /** What the bins of a mark add, as bars up and down from zero, on one scale for all marks. */
  function contributions(at, layers, mark, toX, turn) {
    const [least, most] = ["lowers", "raises"].map((name) => Math.max(...layers[name].flat()));
    const base = at.top + (mark + 1) * at.row - 12;
    const toY = scale(-least, most, base, base - at.sums + 4);
    const zero = round(toY(0));
    const bars = [["raises", 1], ["lowers", -1]].map(([name, sign]) => {
      const values = turn(layers[name][mark]).map((value) => sign * value);
      const d = `M${at.left} ${zero}L${steps(values, toX, toY).slice(1)}V${zero}Z`;
      return svg("path", { class: name, d, "shape-rendering": "crispEdges" });
    });
    const total = `adds ${signed(layers.adds[mark])}`;
    const beside = { class: "tick", x: at.left - 6, y: base - 8, "text-anchor": "end" };
    const isBeside = at.isNarrow || !layers.beta;
    return [
      ...bars,
      svg("path", { class: "axis", d: `M${at.left} ${zero}H${at.right}` }),
      svg("text", beside, at.isNarrow ? signed(layers.adds[mark]) : isBeside ? total : "contribution"),
      isBeside ? null : svg("text", { class: "tick", x: at.right + 16, y: base - 8 }, total),
    ];
  }

  function drawGene(width, run, shown) {
    const { layers, isFlipped, direction } = shown;
    const at = layout(width, run.marks.length, layers);
    const toX = scale(0, run.numBins, at.left, at.right);
    const turn = (values) => (isFlipped ? [...values].reverse() : values);
    const parts = [];
    const highest = {};
    for (const name of at.strips) highest[name] = Math.max(...layers[name].flat()) || 1;
    run.marks.forEach((mark, i) => {
      const top = at.top + i * at.row;
      const base = top + at.head + at.area;
      const signal = turn(layers.signal[i]);
      const low = Math.min(0, ...signal);
      // An empty mark gets a scale, too: one read.
      const high = Math.max(1, ...signal);
      const toY = scale(low, high, base, top + at.head);
      parts.push(
        svg(
          "text",
          at.isNarrow
            ? { class: "name", x: at.left, y: top + 13 }
            : { class: "name", x: 0, y: base - at.area / 2 + 4 },
          data.marks[mark],
        ),
        svg("text", { class: "tick", x: at.left - 6, y: top + at.head + 9, "text-anchor": "end" }, brief(high)),
        svg(
          "path",
          {
            class: `area mark-${mark}`,
            d: `M${at.left} ${round(toY(0))}L${steps(signal, toX, toY).slice(1)}V${round(toY(0))}Z`,
          },
        ),
        svg("path", { class: "axis", d: `M${at.left} ${round(toY(0))}H${at.right}` }),
      );
      at.strips.forEach((name, place) => {
        const y = base + 4 + 12 * place;
        parts.push(
          svg("text", { class: "tick", x: at.left - 6, y: y + 8, "text-anchor": "end" }, name),
          svg("rect", { class: "strip", x: at.left, y, width: at.right - at.left, height: 9 }),
        );
        turn(layers[name][i]).forEach((value, bin) => {
          const share = value / highest[name];
          if (share < 0.01) return;
          parts.push(
            svg("rect", {
              class: name,
              x: round(toX(bin)),
              y,
              width: round(toX(bin + 1) - toX(bin)),
              height: 9,
              "fill-opacity": share.toFixed(2),
              "shape-rendering": "crispEdges",
            }),
          );
        });
      });
      if (layers.adds) parts.push(...contributions(at, layers, i, toX, turn));
      if (layers.beta) {
        const length = 56 * (layers.beta[i] / Math.max(...layers.beta));
        const x = at.isNarrow ? at.right - 118 : at.right + 16;
        const y = at.isNarrow ? top + 5 : base - at.area / 2 - 5;
        parts.push(
          svg("rect", { class: `beta mark-${mark}`, x, y, width: round(Math.max(1, length)), height: 10 }),
          svg(
            "text",
            { class: "tick", x: round(x + length + 6), y: y + 9 },
            `${at.isNarrow ? "beta " : ""}${decimals(layers.beta[i], 2)}`,
          ),
        );
      }
    });
    const tss = toX(run.flankBp / run.binBp);
    parts.push(
      svg("path", { class: "guess", d: `M${round(tss)} ${at.top - 4}V${at.bottom - 6}` }),
      svg("text", { class: "tick", x: tss - 7 * (direction || 1), y: 15, "text-anchor": direction < 0 ? "start" : "end" }, "TSS"),
    );
    if (direction) {
      const tip = tss + 30 * direction;
      parts.push(
        svg("path", { class: "tss", d: `M${round(tss)} ${at.top - 4}V11H${round(tip)}` }),
        svg("path", { class: "head", d: `M${round(tip + 7 * direction)} 11l${-8 * direction} -4.5v9Z` }),
      );
    }
    if (layers.beta && !at.isNarrow) {
      parts.push(svg("text", { class: "tick", x: at.right + 16, y: 15 }, "beta"));
    }
    const endKb = (run.numBins * run.binBp - run.flankBp) / 1000;
    const startKb = -run.flankBp / 1000;
    parts.push(svg("path", { class: "axis", d: `M${at.left} ${at.bottom}H${at.right}` }));
    for (const kb of ticks(startKb, endKb, at.isNarrow ? 5 : 10)) {
      const x = round(toX((kb * 1000 + run.flankBp) / run.binBp));
      parts.push(
        svg("path", { class: "axis", d: `M${x} ${at.bottom}v4` }),
        svg("text", { class: "tick", x, y: at.bottom + 17, "text-anchor": "middle" }, minus(String(kb))),
      );
    }
    parts.push(
      svg(
        "text",
        { class: "label", x: (at.left + at.right) / 2, y: at.bottom + 33, "text-anchor": "middle" },
        at.isNarrow
          ? `kb from the TSS along ${shown.runsAlong ? "transcription" : "the genome"}`
          : `distance from the TSS along the ${shown.runsAlong ? "direction of transcription" : "genome"}, kb`,
      ),
    );
    const cursor = svg("rect", {
      class: "cursor",
      y: at.top - 2,
      width: round(toX(1) - toX(0)),
      height: at.bottom - at.top + 2,
    });
    const tall = run.marks.map((mark, i) => `${data.marks[mark]} up to ${brief(Math.max(...layers.signal[i]))}${layers.beta ? `, beta ${decimals(layers.beta[i], 2)}` : ""}${layers.adds ? `, adds ${signed(layers.adds[i])}` : ""}`);
    const image = drawing(width, at.height, `Signals of ${shown.name}`, tall.join("; "), ...parts, cursor);
    image.setAttribute("width", width);
    return { image, cursor, toX, highest, left: at.left, right: at.right };
  }

  // === The gene browser ===

  const state = { place: 0, gene: 0, genes: null, layers: null, plot: null, isFlipped: false };
  const run = () => data.runs[state.place];

  const hashOf = (name) =>
    `#${data.runs.length > 1 ? `run=${encodeURIComponent(run().name)}&` : ""}gene=${encodeURIComponent(name)}`;

  function link(genes, i) {
    const sure = isRegression
      ? `${decimals(genes.predicted[i], 2)}, measured ${decimals(genes.measured[i], 2)}`
      : `${decimals(genes.probability[i], 3)}, measured ${genes.label[i] ? "high" : "low"}`;
    return html(
      "li",
      {},
      html("a", { href: hashOf(genes.name[i]) }, genes.name[i]),
      html("small", {}, sure),
    );
  }

  function showLists() {
    const { genes } = state;
    const of = (is) => (isRegression ? [...genes.orders.wrong] : genes.orders.wrong.filter((i) => isRight(genes, i) === is));
    const wrong = of(false).slice(0, 8);
    const right = of(true).reverse().slice(0, 8);
    byId("right").replaceChildren(...right.map((i) => link(genes, i)));
    byId("wrong").replaceChildren(...wrong.map((i) => link(genes, i)));
    const names = genes.orders.name;
    byId("search").placeholder = `such as ${genes.name[names[names.length >> 1]]}`;
  }

  async function showGene(gene) {
    const place = state.place;
    const [genes, layers] = [await geneTable(place), await geneLayers(data.runs[place], place, gene)];
    // Another gene may have been asked for meanwhile.
    if (place !== state.place) return;
    Object.assign(state, { gene, genes, layers });
    const [symbol, id, strand] = [genes.symbol[gene], genes.id[gene], genes.strand[gene]];
    byId("gene-name").textContent = symbol || id;
    const where = genes.tss[gene] < 0 ? "place unknown" : `${genes.chrom[gene]}:${count(genes.tss[gene])}`;
    const side = strand ? `${minus(strand)} strand` : "strand unknown";
    byId("gene-place").replaceChildren(
      ...[symbol ? id : null, genes.transcript[gene], where, side].filter(Boolean).join(" \u00b7 "),
      ...ucsc(genes, gene),
    );
    byId("gene-verdict").replaceChildren(...verdict(genes, gene));
    drawPlot();
  }

  function verdict(genes, gene) {
    if (isRegression) {
      const error = errorOf(genes, gene);
      const { scale: name, unit } = run();
      const amount = brief(Math.max(0, 2 ** genes.predicted[gene] - 1));
      const side = error < 0 ? "lower" : "higher";
      return [
        `Predicted ${name} ${decimals(genes.predicted[gene], 2)}, or ${amount} ${unit}; measured ${decimals(genes.measured[gene], 2)}, or ${genes.expression[gene]}: the prediction is ${decimals(Math.abs(error), 2)} ${side}`,
      ];
    }
    const right = isRight(genes, gene);
    const expression = genes.expression[gene] && `, ${genes.expression[gene]}`;
    return [
      `P(high) = ${decimals(genes.probability[gene], 3)}; measured ${genes.label[gene] ? "high" : "low"} (${run().labels} label${expression}): `,
      html("span", { class: right ? "is-right" : "is-wrong" }, right ? "right" : "wrong"),
    ];
  }

  function ucsc(genes, gene) {
    const { ucsc: genome, flankBp, numBins, binBp } = run();
    if (!genome || genes.tss[gene] < 0) return [];
    const start = Math.max(0, genes.tss[gene] - flankBp);
    const query = new URLSearchParams({
      db: genome,
      position: `${genes.chrom[gene]}:${start + 1}-${start + numBins * binBp}`,
    });
    const attributes = {
      href: `https://genome.ucsc.edu/cgi-bin/hgTracks?${query}`,
      rel: "noopener noreferrer",
      target: "_blank",
    };
    return [" \u00b7 ", html("a", attributes, `UCSC genome browser, ${genome}`)];
  }

  function drawPlot() {
    const { genes, gene, layers } = state;
    if (!layers) return;
    const width = Math.floor(byId("plot").clientWidth);
    if (!width) return;
    const strand = genes.strand[gene];
    const isOriented = Boolean(genes.oriented[gene]);
    const along = byId("along").checked;
    // The bins of a gene on the - strand run one way in the dataset and may be wanted the other.
    state.isFlipped = strand === "-" && isOriented !== along;
    const runsAlong = strand !== "" ? along : isOriented;
    const direction = runsAlong ? 1 : { "+": 1, "-": -1 }[strand] || 0;
    state.plot = drawGene(width, run(), {
      layers,
      direction,
      isFlipped: state.isFlipped,
      name: genes.symbol[gene] || genes.id[gene],
      runsAlong,
    });
    state.runsAlong = runsAlong;
    byId("plot").replaceChildren(state.plot.image);
    const slider = byId("bin");
    const [first, last] = [state.plot.toX(0.5), state.plot.toX(run().numBins - 0.5)];
    // The thumb, some 16 px wide, runs over the middles of the bins.
    slider.style.marginLeft = `${first - 8}px`;
    slider.style.width = `${last - first + 16}px`;
    byId("gene-caption").textContent = captionOf(state.plot.highest, genes.strand[gene]);
    moveTo(Number(slider.value));
  }

  function captionOf(highest, strand) {
    const parts = ["Signal of each bin by mark, each on its own scale from 0."];
    const one = "on one scale for all marks; full colour is";
    if (highest.alpha) parts.push(`Alpha, what the model attends to within a mark, ${one} ${brief(highest.alpha)}.`);
    if (state.layers.beta) parts.push("Beta, what it attends to among marks, sums to 1.");
    if (state.layers.adds) parts.push(captionOfContributions(state.layers));
    if (highest.saliency) parts.push(`Saliency, the size of the gradient of the ${isRegression ? "prediction" : "logit"} with respect to the signal as measured, ${one} ${brief(highest.saliency)} a unit of signal.`);
    if (!strand) parts.push("The strand of this gene is unknown; its bins run as in the dataset.");
    return [...parts, ...run().notes.map((note) => `${note}.`)].join(" ");
  }

  function captionOfContributions({ raises, lowers, adds }) {
    const sum = signed(adds.reduce((total, of) => total + of, 0));
    const answer = isRegression ? "prediction" : "logit";
    const [most, least] = [raises, lowers].map((values) => brief(Math.max(...values.flat())));
    return `Contribution, what each bin adds to the ${answer} beyond that of an empty region, on one scale for all marks: violet raises it, by up to ${most}, brown lowers it, by up to ${least}; together ${sum}.`;
  }

  /** Show the values of a bin, counted from the left of the plot. */
  function moveTo(bin) {
    const { genes, gene, layers, plot, isFlipped, runsAlong } = state;
    const { numBins, binBp, flankBp, marks } = run();
    const slider = byId("bin");
    slider.value = bin;
    plot.cursor.setAttribute("x", round(plot.toX(bin)));
    const stored = isFlipped ? numBins - 1 - bin : bin;
    const start = bin * binBp - flankBp;
    const away = (bp) => (bp > 0 ? `+${count(bp)}` : count(bp));
    let where = `${away(start)} to ${away(start + binBp)} bp from the TSS`;
    const tss = genes.tss[gene];
    if (tss >= 0) {
      const isMirrored = runsAlong && genes.strand[gene] === "-";
      const left = isMirrored ? tss - start - binBp : tss + start;
      if (left >= 0) where += ` \u00b7 ${genes.chrom[gene]}:${count(left + 1)}-${count(left + binBp)}`;
    }
    const columns = ["signal", "alpha", "saliency"].filter((name) => layers[name]);
    if (layers.adds) columns.push("contribution");
    const valueOf = (name, i) =>
      name === "contribution" ? layers.raises[i][stored] - layers.lowers[i][stored] : layers[name][i][stored];
    const table = byId("readout");
    table.caption.textContent = `Bin ${bin + 1} of ${numBins}: ${where}`;
    const heading = (text, attributes) => html("th", { scope: "col", ...attributes }, text);
    table.tHead.replaceChildren(
      html("tr", {}, heading("mark"), ...columns.map((name) => heading(name, { class: "number" }))),
    );
    const told = [];
    table.tBodies[0].replaceChildren(
      ...marks.map((mark, i) => {
        const cells = columns.map((name) =>
          html("td", { class: "number" }, brief(valueOf(name, i))),
        );
        told.push(`${data.marks[mark]} ${brief(layers.signal[i][stored])}`);
        const swatch = html("span", { class: `swatch mark-${mark}` });
        return html("tr", {}, html("th", { scope: "row" }, swatch, data.marks[mark]), ...cells);
      }),
    );
    slider.setAttribute("aria-valuetext", `${where}: ${told.join(", ")}`);
  }

  function pointAt(event) {
    if (!state.plot) return;
    const x = event.clientX - byId("plot").getBoundingClientRect().left;
    const { left, right } = state.plot;
    const bin = Math.floor(((x - left) / (right - left)) * run().numBins);
    if (bin >= 0 && bin < run().numBins) moveTo(bin);
  }

  function go(gene, { isStep = false } = {}) {
    const hash = hashOf(state.genes.name[gene]);
    // Stepping through genes leaves no trail to go back along.
    if (isStep) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
    return showGene(gene);
  }

  function step(by) {
    const order = state.genes.orders[byId("order").value];
    const place = order.indexOf(state.gene);
    return go(order[(place + by + order.length) % order.length], { isStep: true });
  }

  // === Search ===

  const MAX_SUGGESTIONS = 12;
  const search = { found: [], active: -1 };

  /** Genes whose symbol or id starts with the text, then those that have it anywhere. */
  function matches(text) {
    const wanted = comparable(text);
    if (!wanted) return [];
    const { genes } = state;
    const ranked = [[], [], []];
    for (const i of genes.orders.name) {
      const names = [genes.name[i], genes.symbol[i], genes.id[i], genes.transcript[i], genes.place[i]]
        .map((name) => name.toUpperCase());
      if (names.includes(wanted)) ranked[0].push(i);
      else if (names.some((name) => name.startsWith(wanted))) ranked[1].push(i);
      else if (names.some((name) => name.includes(wanted))) ranked[2].push(i);
    }
    return ranked.flat();
  }

  function suggest() {
    const found = matches(byId("search").value);
    search.found = found.slice(0, MAX_SUGGESTIONS);
    search.active = -1;
    const { genes } = state;
    byId("suggestions").replaceChildren(
      ...search.found.map((i, n) => {
        // What tells genes of one name apart, where there are several.
        const isShared = called(genes, genes.symbol[i] || genes.id[i]).length > 1;
        const more = [
          genes.symbol[i] ? genes.id[i] : "",
          genes.transcript[i],
          isShared ? genes.place[i] : genes.tss[i] < 0 ? "" : genes.chrom[i],
        ];
        const option = html(
          "li",
          { id: `suggestion-${n}`, role: "option", "aria-selected": "false" },
          html("span", {}, genes.symbol[i] || genes.id[i]),
          html("small", {}, more.filter(Boolean).join(" ")),
        );
        // Before the input loses the focus.
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => choose(i));
        return option;
      }),
    );
    const isEmpty = !byId("search").value.trim();
    byId("found").textContent = isEmpty ? "" : found.length === 1 ? "1 gene" : `${count(found.length)} genes`;
    openSuggestions(search.found.length > 0);
  }

  /** Several genes are called so: the user says which. */
  function askWhich(name, number) {
    byId("search").focus();
    byId("search").value = name;
    suggest();
    byId("found").textContent = `${number} genes are called ${name}: choose one`;
  }

  function openSuggestions(isOpen) {
    byId("suggestions").hidden = !isOpen;
    byId("search").setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) activate(-1);
  }

  function activate(n) {
    const options = byId("suggestions").children;
    if (options[search.active]) options[search.active].setAttribute("aria-selected", "false");
    search.active = n;
    if (options[n]) {
      options[n].setAttribute("aria-selected", "true");
      options[n].scrollIntoView({ block: "nearest" });
      byId("search").setAttribute("aria-activedescendant", options[n].id);
    } else {
      byId("search").removeAttribute("aria-activedescendant");
    }
  }

  function choose(gene) {
    byId("search").value = state.genes.name[gene];
    openSuggestions(false);
    return go(gene);
  }

  function typed(event) {
    const number = search.found.length;
    const isOpen = !byId("suggestions").hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) suggest();
      const by = event.key === "ArrowDown" ? 1 : -1;
      const from = search.active < 0 && by < 0 ? number : search.active;
      if (search.found.length) activate((from + by + search.found.length) % search.found.length);
    } else if (event.key === "Enter") {
      if (!isOpen) suggest();
      const exact = search.active < 0 ? called(state.genes, byId("search").value) : [];
      const gene = exact.length === 1 ? exact[0] : search.found[Math.max(0, search.active)];
      if (exact.length > 1) askWhich(byId("search").value, exact.length);
      else if (gene !== undefined) choose(gene);
      else byId("found").textContent = "No such gene in the test split";
    } else if (event.key === "Escape") {
      openSuggestions(false);
    }
  }

  // === Runs, places, theme ===

  async function showRun(place) {
    state.place = place;
    const current = run();
    for (const article of document.querySelectorAll(".run")) {
      article.hidden = Number(article.dataset.run) !== place;
    }
    for (const anchor of document.querySelectorAll("[data-section]")) {
      anchor.href = `#run-${place}-${anchor.dataset.section}`;
    }
    for (const radio of document.getElementsByName("run")) radio.checked = Number(radio.value) === place;
    for (const target of document.querySelectorAll(`.run[data-run="${place}"] [data-chart]`)) {
      if (!target.children.length) target.append(...charts[target.dataset.chart](current));
    }
    if (!canUnpack) return;
    byId("bin").max = current.numBins - 1;
    byId("bin").value = Math.floor(current.flankBp / current.binBp);
    state.genes = await geneTable(place);
    showLists();
  }

  const firstGene = (genes) => called(genes, "PAX5")[0] ?? genes.orders.wrong[genes.id.length - 1];

  /** Go where the address says: a gene, perhaps of a run, or a section. */
  async function follow() {
    const hash = location.hash.slice(1);
    const asked = new URLSearchParams(hash);
    const place = data.runs.findIndex((of) => of.name === asked.get("run"));
    if (place >= 0 && place !== state.place) await showRun(place);
    const ofSection = /^run-(\d+)-/.exec(hash);
    if (ofSection && byId(hash) && Number(ofSection[1]) !== state.place) {
      await switchTo(Number(ofSection[1]));
    }
    // The charts above it may have been drawn since the browser went there.
    if (hash && byId(hash)) byId(hash).scrollIntoView();
    if (!asked.has("gene") || !canUnpack) return;
    const found = called(state.genes, asked.get("gene"));
    if (found.length === 1) await showGene(found[0]);
    else if (found.length) askWhich(asked.get("gene"), found.length);
    else byId("found").textContent = `No gene ${asked.get("gene")} in the test split`;
    byId("genes").scrollIntoView();
  }

  /** Show another run, at the same gene if it is one of its test genes. */
  async function switchTo(place) {
    const names = canUnpack ? [state.genes.name[state.gene], state.genes.id[state.gene]] : [];
    await showRun(place);
    if (!canUnpack) return;
    // A dataset without symbols still has the ids.
    const found = names.map((name) => called(state.genes, name)).find((of) => of.length === 1);
    await showGene(found ? found[0] : firstGene(state.genes));
  }

  function setUpTheme() {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const button = byId("theme");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      show();
    });
    system.addEventListener("change", show);
    show();
  }

  function setUpBrowser() {
    byId("browser").hidden = false;
    byId("search").addEventListener("input", suggest);
    byId("search").addEventListener("keydown", typed);
    byId("search").addEventListener("blur", () => openSuggestions(false));
    byId("search").addEventListener("focus", (event) => event.target.select());
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("random").addEventListener("click", () => go(Math.floor(Math.random() * run().numGenes)));
    byId("along").addEventListener("change", drawPlot);
    byId("bin").addEventListener("input", (event) => moveTo(Number(event.target.value)));
    byId("plot").addEventListener("pointermove", pointAt);
    byId("plot").addEventListener("pointerdown", pointAt);
    new ResizeObserver(() => {
      if (state.plot && Number(state.plot.image.getAttribute("width")) === Math.floor(byId("plot").clientWidth)) return;
      drawPlot();
    }).observe(byId("plot"));
    document.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.target.closest("input, select, textarea, .scroll")) return;
      const { top, bottom } = byId("genes").getBoundingClientRect();
      if (top > innerHeight || bottom < 0) return;
      event.preventDefault();
      step(by);
    });
  }

  async function start() {
    setUpTheme();
    for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
    for (const place of document.querySelectorAll("[data-filters]")) {
      makeFiltered(place.parentElement.querySelector("table.filtered"), place);
    }
    byId("genes-failed").hidden = canUnpack;
    if (byId("switcher")) {
      byId("switcher").hidden = false;
      byId("switcher").addEventListener("change", async (event) => {
        await switchTo(Number(event.target.value));
        if (canUnpack) history.replaceState(null, "", hashOf(state.genes.name[state.gene]));
      });
    }
    await showRun(0);
    if (canUnpack) {
      setUpBrowser();
      await showGene(firstGene(state.genes));
    }
    addEventListener("hashchange", follow);
    await follow();
    document.documentElement.dataset.ready = "";
  }

  start();
})();
