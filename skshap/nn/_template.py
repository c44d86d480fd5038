"""Templates: a text put into a sentence with a blank, and words that may fill it."""

import string
from typing import NamedTuple

__all__ = ["make_template", "word_ids"]

FIELDS = {"text", "first", "second", "mask"}
CHANGES = {
    "": lambda text: text,
    "bare": lambda text: text[:-1] if text[-1:] in string.punctuation else text,
    "lower": lambda text: text[:1].lower() + text[1:],
}
# As in the experiments of arXiv 2406.04606, table 7; the words of label 0, 1, ...
PRESETS = {
    "sst2": ("{text} It was {mask}.", ("terrible", "great")),
    "mr": ("{text} It was {mask}.", ("terrible", "great")),
    "mrpc": ("{first} {mask}, {second:lower}", ("No", "Yes")),
    "rte": ("{first:bare}? {mask}, {second:lower}", ("Yes", "No")),
    "mnli": ("{first:bare}? {mask}, {second:lower}", ("Yes", "Maybe", "No")),
}


class Template(NamedTuple):
    """A sentence with a blank.

    Attributes
    ----------
    text : str
        The sentence, with its fields.
    before, after : list of (str, str, str)
        What stands before and after the blank: literal text, the name of a field that
        follows it, or "", and how that is changed.
    words : tuple of str
        What may fill the blank, one word a class.
    """

    text: str
    before: list
    after: list
    words: tuple

    @property
    def is_pair(self):
        """Whether it takes pairs of texts."""
        return any(field == "first" for _, field, _ in (*self.before, *self.after))

    def render(self, row):
        """Put a text, or a pair of texts, into the sentence.

        Parameters
        ----------
        row : str or tuple of (str, str)

        Returns
        -------
        before, after : str
            The sentence up to the blank, and from it on.
        """
        if isinstance(row, str):
            values = {"text": row}
        else:
            values = dict(zip(("first", "second"), row, strict=True))
        return tuple(
            "".join(
                literal + CHANGES[change](values[field]) if field else literal
                for literal, field, change in part
            )
            for part in (self.before, self.after)
        )


def make_template(template, label_words):
    """Check a template and its words.

    Parameters
    ----------
    template : str or None
        A sentence with the fields "{mask}" and either "{text}", or "{first}" and
        "{second}"; or the name of a preset.
    label_words : list of str or None
        What may fill the blank; None for those of a preset.

    Returns
    -------
    Template or None

    Raises
    ------
    ValueError
        If the template has other fields, or words are missing.
    """
    if template is None:
        if label_words is not None:
            raise ValueError(
                f"label_words={label_words!r} fill the blank of a template, but "
                "template=None; pass a template such as '{text} It was {mask}.'."
            )
        return None
    words = label_words
    if template in PRESETS:
        template, preset = PRESETS[template]
        words = preset if words is None else words
    before, after = _parse(template)
    is_list = isinstance(words, (list, tuple)) and len(words) > 0
    if not is_list or not all(isinstance(w, str) and w.strip() for w in words):
        raise ValueError(
            f"label_words must be a list of words that may fill the blank of template="
            f"{template!r}, one a class in the order of sorted labels, got {words!r}; "
            "pass for example ['terrible', 'great']."
        )
    return Template(template, before, after, tuple(words))


def _parse(template):
    """Return the parts of a template before and after its blank."""
    what = (
        f"template={template!r} must be one of {sorted(PRESETS)} or a sentence with "
        "{mask} once and either {text}, or {first} and {second}, once"
    )
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{what}; write {{{{ for a brace: {error}.") from error
    before, after, fields = [], [], []
    for literal, field, change, conversion in parts:
        side = after if "mask" in fields else before
        if field is None:
            side.append((literal, "", ""))
            continue
        is_blank = field == "mask"
        if field not in FIELDS or conversion or change not in CHANGES:
            raise ValueError(
                f"{what}; it has the field {field!r}. Texts can be changed as "
                "{first:bare}, without a punctuation mark at the end, and "
                "{second:lower}, with a small first letter."
            )
        side.append((literal, "" if is_blank else field, change))
        fields.append(field)
    if sorted(fields) not in (["mask", "text"], ["first", "mask", "second"]):
        raise ValueError(f"{what}; it has the fields {fields}.")
    return before, after


def word_ids(template, tokenizer):
    """Find the token of each word, as it stands in the sentence.

    Parameters
    ----------
    template : Template
    tokenizer : PreTrainedTokenizerBase

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If a word is unknown, several tokens, or the same token as another word.
    """
    row = ("a", "a") if template.is_pair else "a"
    before, _ = template.render(row)
    start = before.rstrip()
    space = " " * (start != before and bool(start))
    known = _ids(tokenizer, start) if space else []
    found = []
    for word in template.words:
        if space and word != word.strip():
            raise ValueError(
                f"label_words holds {word!r} with a space of its own, but template="
                f"{template.text!r} has one before the blank already; pass "
                f"{word.strip()!r}."
            )
        ids = _ids(tokenizer, f"{start if space else ''}{space}{word}")
        own = ids[len(known) :]
        if ids[: len(known)] != known or len(own) != 1:
            pieces = tokenizer.convert_ids_to_tokens(own)
            raise ValueError(
                f"label_words holds {word!r}, which is {len(own)} tokens of tokenizer, "
                f"{pieces}; choose a word that is one token."
            )
        if own[0] == tokenizer.unk_token_id:
            raise ValueError(
                f"label_words holds {word!r}, which tokenizer does not know; choose a "
                "word of its vocabulary."
            )
        found += own
    if len(set(found)) < len(found):
        raise ValueError(
            f"label_words must be different tokens, got {list(template.words)}."
        )
    return found


def _ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]
