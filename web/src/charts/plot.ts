/** A uPlot line chart in our manner: quiet grid, no own legend, open points dashed and hollow. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { resolveColors } from "./palette";
import { axisMarks, largest, openPoints, smallest, splitOpen, tickPoints, type Line } from "./series";

export interface PlotOptions {
  lines: Line[];
  labels: string[];
  final: boolean[];
  width: number;
  height: number;
  /** Writes a value of the y axis. */
  write: (value: number) => string;
  /** The y axis never ends below this. */
  least: number;
  /** Nor does it go beyond this for a little air. */
  most?: number;
  onCursor: (index: number | null) => void;
}

const TOKENS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6", "--series-7", "--series-8", "--grid", "--ink-faint", "--surface"] as const;
const MOST_MARKS = 40;
const FONT = "12px system-ui, sans-serif";

/** Draws into `holder`. The x axis counts points: the labels say which day or hour each one is. */
export function draw(holder: HTMLElement, options: PlotOptions): uPlot {
  const { lines, labels, final, width, height, write, least, most, onCursor } = options;
  const color = resolveColors(holder, TOKENS);
  const open = openPoints(final);
  const low = smallest(lines);
  const marks = axisMarks(low < 0 ? largest(lines) : Math.max(largest(lines), least), low, most);

  const series: uPlot.Series[] = [{}];
  const data: (number | null)[][] = [labels.map((_, index) => index)];
  for (const line of lines) {
    const stroke = color[`--series-${line.color}`];
    if (line.ghost) {
      series.push({ stroke, width: 1.5, alpha: 0.4, points: { show: labels.length === 1, size: 6, fill: stroke } });
      data.push(line.values);
      continue;
    }
    // Many marks side by side would be a bar.
    const marked = open.length <= MOST_MARKS ? open.filter((index) => line.values[index] !== null) : [];
    const { solid, dashed } = splitOpen(line.values, final);
    series.push({ stroke, width: 2, points: { show: labels.length === 1, size: 6, fill: stroke } });
    series.push({
      stroke,
      width: 2,
      dash: [3, 4],
      points: { show: marked.length > 0, size: 7, width: 2, fill: color["--surface"], stroke, filter: () => marked },
    });
    data.push(solid, dashed);
  }

  const axis: uPlot.Axis = {
    stroke: color["--ink-faint"],
    font: FONT,
    ticks: { show: false },
    grid: { stroke: color["--grid"], width: 1 },
  };
  const every = Math.max(2, Math.floor(width / 84));
  return new uPlot(
    {
      width,
      height,
      series,
      legend: { show: false },
      padding: [8, 26, 0, 0],
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 8 },
      },
      scales: { x: { time: false, range: [0, Math.max(1, labels.length - 1)] }, y: { range: [marks[0]!, marks[marks.length - 1]!] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          splits: () => tickPoints(labels.length, every),
          values: (_, splits) => splits.map((index) => labels[index] ?? ""),
          size: 28,
          gap: 8,
        },
        { ...axis, size: 46, gap: 6, splits: () => marks, values: (_, splits) => splits.map(write) },
      ],
      hooks: {
        setCursor: [
          (plot) => {
            const index = plot.cursor.idx ?? null;
            const inside = plot.cursor.left !== undefined && plot.cursor.left >= 0;
            onCursor(inside ? index : null);
          },
        ],
      },
    },
    data as uPlot.AlignedData,
    holder,
  );
}
