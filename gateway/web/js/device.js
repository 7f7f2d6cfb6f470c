/**
 * What people call the program that a User-Agent header stands for. A pure function.
 * @module device
 */

/** The first that fits: a browser's header names those before it, too. */
const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["SamsungBrowser", "Samsung Internet"], ["Firefox", "Firefox"], ["FxiOS", "Firefox"], ["CriOS", "Chrome"], ["Chrome", "Chrome"], ["Safari", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["CrOS", "ChromeOS"], ["Windows", "Windows"], ["Mac OS X", "Mac"], ["Linux", "Linux"]];

/** "Firefox on Windows"; of a program the name that it gives itself. */
export function deviceWords(agent) {
  const browser = BROWSERS.find(([sign]) => agent.includes(`${sign}/`) || agent.includes(`Headless${sign}/`))?.[1];
  const system = SYSTEMS.find(([sign]) => agent.includes(sign))?.[1];
  if (browser) return system ? `${browser} on ${system}` : browser;
  return agent.split(/[/ ]/)[0] || "An unknown program";
}
