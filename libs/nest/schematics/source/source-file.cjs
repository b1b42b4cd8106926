/** A TypeScript file of the application, and the edits that it is going to get. Everything else in it stays as it is. */
class SourceFile {
  edits = [];

  constructor(ts, path, text) {
    this.ts = ts;
    this.path = path;
    this.text = text;
    this.tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    this.newline = text.includes('\r\n') ? '\r\n' : '\n';
  }

  insert(position, text) {
    this.replace(position, position, text);
  }

  replace(start, end, text) {
    this.edits.push({ start, end, text });
  }

  /** Takes all edits back. */
  forget() {
    this.edits = [];
  }

  /** The text with all edits; of several at one position the first comes first. */
  edited() {
    const ordered = [...this.edits].sort((a, b) => a.start - b.start);
    let [text, done] = ['', 0];
    for (const edit of ordered) {
      text += this.text.slice(done, edit.start) + edit.text;
      done = edit.end;
    }
    return text + this.text.slice(done);
  }

  /** All nodes of the file that pass, in their order. */
  all(passes) {
    const found = [];
    const visit = (node) => {
      if (passes(node)) found.push(node);
      this.ts.forEachChild(node, visit);
    };
    visit(this.tree);
    return found;
  }

  /** The white space before a node, if the node is the first of its line. */
  indentOf(position) {
    const start = Math.max(
      this.text.lastIndexOf('\n', position - 1) + 1,
      this.text.startsWith('\uFEFF') ? 1 : 0,
    );
    const before = this.text.slice(start, position);
    return /^[ \t]*$/.test(before) ? before : undefined;
  }

  /** The end of the comments behind a position, on its line. */
  endOfRemark(position) {
    return this.ts.getTrailingCommentRanges(this.text, position)?.at(-1).end ?? position;
  }

  /** The end of a statement; a `;` that begins a later line, as some write it, belongs to the next one. */
  endOf(statement) {
    if (statement.getLastToken().kind !== this.ts.SyntaxKind.SemicolonToken) return statement.end;
    const { end } = statement.getChildren().at(-2);
    return this.text.slice(end, statement.end).includes('\n') ? end : statement.end;
  }

  endsWithSemicolon(statement) {
    return this.text[this.endOf(statement) - 1] === ';';
  }

  lineOf(node) {
    return this.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  }

  /** Without parentheses and assertions of a type. */
  bare(node) {
    const { ts } = this;
    const wraps = (each) =>
      ts.isParenthesizedExpression(each) ||
      ts.isAsExpression(each) ||
      ts.isSatisfiesExpression(each) ||
      ts.isTypeAssertionExpression(each) ||
      ts.isNonNullExpression(each);
    return wraps(node) ? this.bare(node.expression) : node;
  }
}

module.exports = { SourceFile };
