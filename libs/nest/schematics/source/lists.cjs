/**
 * Appends an element to the list of an array, an object or an import, in the layout that the list has: on a line of its
 * own where the last element has one, with a comma behind it where the list ends with one. Comments stay where they are.
 */
function append(source, elements, close, text) {
  if (elements.length === 0) return fill(source, elements, close, text);
  const indent = source.indentOf(elements.at(-1).getStart());
  const comma = elements.hasTrailingComma ? ',' : '';
  if (indent === undefined) {
    source.insert(elements.end, comma ? ` ${text},` : `, ${text}`);
    return;
  }
  if (!comma) source.insert(elements.end, ',');
  source.insert(source.endOfRemark(elements.end), `${source.newline}${indent}${text}${comma}`);
}

/** Puts the first element into an empty list, behind the comments that stand there. */
function fill(source, elements, close, text) {
  const inner = source.text.slice(elements.pos, close);
  const comments = inner.trimEnd();
  if (comments === '') {
    const gap = source.text[close] === '}' ? ' ' : '';
    source.replace(elements.pos, close, `${gap}${text}${gap}`);
  } else if (inner.includes('\n')) {
    const indent = `${source.indentOf(close) ?? ''}  `;
    source.replace(
      elements.pos + comments.length,
      close,
      `${source.newline}${indent}${text},${source.newline}${indent.slice(2)}`,
    );
  } else {
    source.replace(
      elements.pos + comments.length,
      close,
      ` ${text} `.slice(0, source.text[close] === '}' ? undefined : -1),
    );
  }
}

module.exports = { append };
