/** A command of a document and the output that the document shows. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** The commands of the ```console blocks of a Markdown text, with what follows each; a quote may span lines. */
export function consoleExamples(markdown: string): Example[] {
  const blocks = [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  return blocks.flatMap((block) => block.split(/^\$ /m).slice(1).map(toExample));
}

function toExample(text: string): Example {
  const lines = text.split("\n");
  const end = lines.findIndex((_, index) => isComplete(lines.slice(0, index + 1).join("\n")));
  return {
    command: lines.slice(0, end + 1).join("\n"),
    output: lines
      .slice(end + 1)
      .join("\n")
      .trimEnd(),
  };
}

function isComplete(command: string): boolean {
  return command.split("'").length % 2 === 1 && !command.endsWith("\\");
}
