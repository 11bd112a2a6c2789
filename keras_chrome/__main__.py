"""The command `keras-chrome VERB`, the same as `python -m keras_chrome.VERB`."""

import os
import runpy
import sys

from keras_chrome.command_line import as_spelled, installed_version, run_command
from keras_chrome.errors import InputError

VERBS = {
    "Data": {
        "audit_labels": "compare the published labels with the rules that may have made them",
    },
    "Train": {
        "fit": "train a model on a built dataset",
        "sweep": "train models x datasets x label rules x seeds, and rank the models",
        "search": "search for the options of a training that validate best",
        "ensemble": "make one run of several: the mean of their models",
        "import_weights": "turn a published PyTorch AttentiveChrome into a run directory",
    },
    "Compare": {
        "evaluate": "measure how well a run predicts",
        "leaderboard": "rank the models of finished runs",
        "contrast": "compare two epigenomes: genes that switch, and what changed",
    },
    "Explain": {
        "attend": "read out or draw what a model attends to",
        "alpha_profile": "draw attention averaged over genes predicted ON and OFF (Figure 2 a)",
        "alpha_coverage": "draw attention under a mark that was not trained on (Figure 2 b)",
        "beta_map": "draw attention over marks for a gene over epigenomes (Figure 2 c)",
        "explain": "compute which bins of which marks predictions rest on, by up to ten methods",
        "compare": "hold importance against a mark that was not trained on (Table 3)",
        "faithfulness": "try all importance methods side by side: which to believe for what",
        "perturb": "change a mark in silico and see how predictions change",
    },
    "Export": {
        "tracks": "write importance and signal for genome browsers",
        "publish": "write a run as a folder to upload, with a model card",
        "report": "write one HTML page of runs, with a gene browser",
    },
}
"""What each verb does, by what one wants to do."""

_ELSEWHERE = {
    "Data": {"python -m tfds_remc": "build a dataset, from files of your own too"},
    "Export": {"python -m export": "write a SavedModel for TensorFlow Serving"},
}


def main() -> None:
    """Dispatch to a verb."""
    known = [name for of_group in VERBS.values() for name in of_group]
    arguments = sys.argv[1:]
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how a line may go on
        from keras_chrome.completion import completed_verb

        arguments = [completed_verb(known) or ""]
    if arguments[:1] == ["--install-completion"]:
        from keras_chrome.completion import install_completion

        run_command(lambda _: print(install_completion(*arguments[1:2])), InputError)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return
    if arguments[0] == "--version":
        print(installed_version())
        return
    # A dash is easier to type than an underscore.
    verb = as_spelled(arguments[0], known)
    if verb not in known:
        print(
            f"error: Expected one of {', '.join(known)}. Received: verb={arguments[0]!r}. "
            "`keras-chrome help` says what each does",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.argv = [f"keras-chrome {arguments[0]}", *arguments[1:]]
    runpy.run_module(f"keras_chrome.{verb}", run_name="__main__", alter_sys=True)


def _help() -> str:
    lines = ["usage: keras-chrome VERB ..."]
    for group, verbs in VERBS.items():
        lines += ["", f"{group}:"]
        lines += [
            f"  {name:<22}{summary}"
            for name, summary in {**_ELSEWHERE.get(group, {}), **verbs}.items()
        ]
    lines += ["", "`keras-chrome help VERB` lists a verb's options, and"]
    lines += ["`keras-chrome --install-completion` lets the shell complete them."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
