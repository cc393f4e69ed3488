// Bundles a project's modules and ours into one, which is what componentize-js takes, and says what the bundle needs of the host.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Whether a syntax tree refers to the function `fetch`. */
function fetches(node, parent) {
  if (Array.isArray(node)) {
    return node.some((item) => fetches(item, parent));
  }
  if (node === null || typeof node !== 'object') {
    return false;
  }
  if (node.type === 'Identifier' && node.name === 'fetch') {
    const isName =
      (parent?.type === 'MemberExpression' && parent.property === node && !parent.computed && parent.object.name !== 'globalThis') ||
      (parent?.type === 'Property' && parent.key === node && parent.value !== node);
    return !isName;
  }
  return Object.values(node).some((child) => fetches(child, node.type ? node : parent));
}

const needs = {
  name: 'needs',
  generateBundle(_, bundle) {
    const [chunk] = Object.values(bundle);
    const tree = this.parse(chunk.code);
    // The chunk's own list has what was imported before unused code was taken out.
    const imports = tree.body.filter((item) => item.type === 'ImportDeclaration').map((item) => item.source.value);
    writeFileSync(here('./needs.json'), JSON.stringify({ imports, fetches: fetches(tree) }));
  },
};

export default {
  input: here('../@main@'),
  external: /^(innkeeper|wasi):/,
  resolve: { alias: { innkeeper: here('./innkeeper.js') } },
  // What of the host is not used is not imported.
  treeshake: { moduleSideEffects: [{ external: true, sideEffects: false }] },
  plugins: [needs],
  output: { file: here('./bundle.js'), format: 'esm' },
};
