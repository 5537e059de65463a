import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the API: a running `footfall serve`, or the mock server of `npm run mock`. */
const api = process.env.FOOTFALL_API ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // One hashed file per page and its styles; nothing inline, so that the server's CSP needs no exception.
    assetsInlineLimit: 0,
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    // The snippet is the SDK's own file, one folder up.
    fs: { allow: [".."] },
    proxy: Object.fromEntries(["/v1", "/f.js", "/demo", "/docs", "/openapi.json"].map((path) => [path, api])),
  },
});
