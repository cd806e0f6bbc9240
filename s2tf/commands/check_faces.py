"""Tell on pictures of known persons which channel order and feature are right for a face network."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console, write_json
from s2tf.commands.options import add_device, add_json, user_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "faces",
        metavar="FACES",
        help="the network: vggface=FILE, network=FOLDER, dlib or judges, as for `s2tf evaluate`",
    )
    parser.add_argument(
        "pictures", type=Path, help="folder of pictures: NAME/any.jpg, NAME--any.jpg or NAME_0001.jpg for each person"
    )
    add_device(parser)
    add_json(parser, "the cosines and what they tell")


def run(args: argparse.Namespace) -> int:
    """Print the cosines of pictures of same and different persons under both orders, and what they tell."""
    from s2tf.evaluation.check_faces import check_order, read_people
    from s2tf.evaluation.open_readers import open_faces
    from s2tf.evaluation.progress import progress

    console = table_console()
    with user_errors(), progress(console, f"reading {args.pictures}") as report:
        faces = open_faces(args.faces, args.device, console)
        people = read_people(args.pictures)
        found = check_order(faces, people, report)
    print("\n".join([people.summary, *found.lines]))
    write_json(args.json, found.to_json())
    return 0
