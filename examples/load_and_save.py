"""Dialogs out of files of several kinds, changed, and saved again. No model is asked."""

import tempfile
from pathlib import Path

from playact.engine import Dialog

TEXT = """
Alice: Hello! Did you find the museum?
Bob: Yes, and I stayed until it closed.
Alice: Then you have seen the clocks.
"""
TABLE = """who,value
Alice,"Well, which one was the oldest?"
Bob,The one without hands.
"""


def main(folder: Path) -> None:
    dialog = Dialog.from_str(TEXT)
    dialog.to_file(folder / "dialog_0.json")
    print("the same again:   ", Dialog.from_file(folder / "dialog_0.json") == dialog)

    dialog.to_file(folder / "conversation.txt")
    print("from plain text:  ", Dialog.from_file(folder / "conversation.txt")[1])

    (folder / "conversation.csv").write_text(TABLE, encoding="utf-8")
    table = Dialog.from_file(folder / "conversation.csv", csv_speaker_col="who", csv_text_col="value")
    print("from a table:     ", table[1])

    (folder / "set" / "data").mkdir(parents=True)  # the form that datasets have; one on the hub goes by its name
    table.to_file(folder / "set" / "data" / "dialog_1.json")
    print("from a dataset:   ", len(Dialog.from_huggingface(str(folder / "set"))), "dialog")

    # What picks turns gives a new dialog; what rewords or renames changes that one.
    dialog.filter("Alice").rename_speaker("Alice", "Customer").upper().to_file(folder / "processed.json")
    print("processed:        ", Dialog.from_file(folder / "processed.json")[0])
    print("and as it was:    ", dialog[0])

    words = sum(len(turn) for turn in dialog) / len(dialog)
    print(f"words a turn:      {words:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
