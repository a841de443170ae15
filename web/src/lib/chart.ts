// What all charts over time have in common.

import uPlot from 'uplot';
import { scaled } from './units';

/** A colour of the theme in force, by its name in `app.css`. */
export function palette(): (name: string) => string {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

interface Own {
  unit: string;
  /** How an instant (seconds since 1970) is written below the chart. */
  moment: (secs: number) => string;
  series: uPlot.Series[];
  /** Room for the names of values, in pixels. */
  names?: number;
  /** Room above, in pixels. */
  above?: number;
  bands?: uPlot.Band[];
  hooks?: uPlot.Hooks.Arrays;
}

/** Draws values over time in a place, from 0 up, and follows its size; the second of what is returned takes it away. */
export function chart(place: HTMLElement, data: uPlot.AlignedData, own: Own): [uPlot, () => void] {
  const colour = palette();
  // letters grow with the page's, on a wall too
  const large = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const font = `${Math.round(12 * large)}px system-ui, sans-serif`;
  const axis = { font, stroke: colour('dim'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line') } };
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      padding: [own.above ?? 8, 36 * large, 0, 0],
      tzDate: (secs) => uPlot.tzDate(new Date(secs * 1000), 'UTC'),
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [
        { ...axis, values: (_plot, values) => values.map(own.moment), space: 90 * large, size: 30 + 12 * (large - 1) * 2 },
        { ...axis, size: (own.names ?? 118) * large, values: (_plot, values) => values.map((value) => scaled(value, own.unit)) },
      ],
      bands: own.bands ?? [],
      series: [{}, ...own.series],
      hooks: own.hooks ?? {},
    },
    data,
    place,
  );
  const sized = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: place.clientHeight }));
  sized.observe(place);
  return [
    plot,
    () => {
      sized.disconnect();
      plot.destroy();
    },
  ];
}
