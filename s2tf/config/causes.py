"""Causes of errors in the reports of jsonargparse."""

import re


def innermost_cause(message: str) -> str:
    """Find the innermost mistake in jsonargparse's report; returns it after its keys and class."""
    stack: list[tuple[int, str, str]] = []
    causes: list[tuple[int, str]] = []
    # Indented keys and classes contain the causes; every other line is a cause.
    headings = ("Does not validate", "Subtypes", "Errors:", "Given value")
    for line in message.splitlines():
        text = line.lstrip(" -")
        depth = len(line) - len(text)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if key := re.fullmatch(r'Parser key "(.+)":', text):
            stack.append((depth, "key", key.group(1)))
        elif path := re.fullmatch(r"Problem with given class_path '(.+)':", text):
            stack.append((depth, "class", path.group(1).rpartition(".")[2]))
        elif text and not text.startswith(headings):
            keys = ".".join(name for _, kind, name in stack if kind == "key")
            class_name = next((name for _, kind, name in reversed(stack) if kind == "class"), "")
            where = keys + (f" ({class_name})" if class_name else "")
            causes.append((depth, f"{where}: {text}" if where else text))
    # Take the innermost cause: a value may have several types, and the intended type fits to the greatest depth.
    return max(causes, key=lambda cause: cause[0])[1] if causes else message


def expectation(message: str) -> str:
    """Take from jsonargparse's report what the field expects, in words such as `expected int or list`."""
    wanted = re.findall(r"Expected an? (.+?)(?:\. Got value.*)?$", message, re.MULTILINE)
    wanted = [one for one in wanted if not one.startswith("dot import path")]
    wanted = [
        re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>|typing\.", r"\1", one).replace("NoneType", "null") for one in wanted
    ]
    return f"expected {' or '.join(dict.fromkeys(wanted))}" if wanted else message.splitlines()[-1].strip()
