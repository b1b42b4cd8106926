import {
  apply,
  applyTemplates,
  chain,
  mergeWith,
  move,
  SchematicsException,
  strings,
  url,
} from '@angular-devkit/schematics';
import { addFeature } from './feature-list.js';

const FEATURES = 'apps/gateway/src/features';
/** As the server takes a kind of room. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const LONGEST_NAME = 32;
/** Classes that the generated files import or that JavaScript has. */
const TAKEN = new Set(
  'Array Command Empty Error GatewayError Injectable Map Module Object Promise Reply RoomDocument RoomType Set StateRepository String Type WssModule'.split(
    ' ',
  ),
);

/** Makes a feature module with everything that belongs to one, and its line in the list of features. */
export function feature({ name }) {
  return (tree) => {
    check(tree, name);
    const names = { ...strings, name, Name: strings.classify(name) };
    const files = apply(url('./files'), [applyTemplates(names), move(`${FEATURES}/${name}`)]);
    return chain([mergeWith(files), enlist(names)]);
  };
}

export default feature;

function check(tree, name) {
  if (!NAME.test(name) || name.length > LONGEST_NAME) {
    throw new SchematicsException(
      `"${name}" is not a valid feature name: lower-case letters, digits and single dashes, starting with a letter, at most ${LONGEST_NAME}; e.g. shopping-list`,
    );
  }
  if (TAKEN.has(strings.classify(name))) {
    throw new SchematicsException(
      `"${name}" would make a class whose name is taken; choose another, e.g. my-${name}`,
    );
  }
  if (tree.getDir(`${FEATURES}/${name}`).subfiles.length > 0) {
    throw new SchematicsException(`${FEATURES}/${name} is there already; choose another name or remove it`);
  }
}

function enlist({ name, Name }) {
  return (tree) => {
    const path = `${FEATURES}/index.ts`;
    tree.overwrite(
      path,
      addFeature(tree.readText(path), { module: `${Name}Module`, path: `./${name}/${name}.module.js` }),
    );
    return tree;
  };
}
