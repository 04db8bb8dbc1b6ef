// Cuts one `sql` into its statements, as D1 does before it counts them. Only quotes, comments and
// triggers can contain a semicolon that ends no statement, so nothing else of SQL has to be
// understood.

// A doubled quote inside a literal is read as two literals side by side, which cuts just as well.
const QUOTED = /'[^']*'?|"[^"]*"?|`[^`]*`?|\[[^\]]*\]?/;
const COMMENT = /--[^\n]*|\/\*[^]*?(?:\*\/|$)/;
const TOKEN = new RegExp(`${QUOTED.source}|${COMMENT.source}|;|[\\w$]+|\\s+|[^]`, "g");
const CREATE_TRIGGER = /^CREATE (?:TEMP |TEMPORARY )?TRIGGER$/;

export function splitStatements(sql) {
  const statements = [];
  let start = 0;
  let words = []; // the first words of the statement: enough to recognise a trigger
  let onlyWord = '';
  let blank = true;

  const end = (at) => {
    if (!blank) statements.push(sql.slice(start, at).trim());
    start = at;
    words = [];
    onlyWord = '';
    blank = true;
  };

  for (const { 0: token, index } of sql.matchAll(TOKEN)) {
    if (/^(?:\s|--|\/\*)/.test(token)) continue;
    if (token === ';') {
      const trigger =
        CREATE_TRIGGER.test(words.slice(0, 2).join(' ')) || CREATE_TRIGGER.test(words.join(' '));
      // A trigger's body ends with an END that begins a statement; the END of a CASE does not.
      if (!trigger || onlyWord === 'END') end(index + 1);
      else onlyWord = '';
      continue;
    }
    blank = false;
    const word = token.toUpperCase();
    if (words.length < 3) words.push(word);
    // Only a word that is alone between two semicolons may end a trigger.
    onlyWord = onlyWord === '' ? word : '-';
  }
  end(sql.length);
  return statements;
}
