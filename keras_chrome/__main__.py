"""The command `keras-chrome VERB`, the same as `python -m keras_chrome.VERB`."""

import runpy
import sys

VERBS = {
    "fit": "train a model on a built dataset",
    "evaluate": "measure how well a run predicts",
    "attend": "read out or draw what a model attends to",
    "explain": "compute which bins of which marks predictions rest on, by ten methods",
    "compare": "hold importance against a mark that was not trained on (Table 3)",
    "faithfulness": "try all importance methods side by side: which to believe for what",
    "alpha_profile": "draw attention averaged over genes predicted ON and OFF (Figure 2 a)",
    "alpha_coverage": "draw attention under a mark that was not trained on (Figure 2 b)",
    "beta_map": "draw attention over marks for a gene over epigenomes (Figure 2 c)",
    "perturb": "change a mark in silico and see how predictions change",
    "contrast": "compare two epigenomes: genes that switch, and what changed",
    "tracks": "write importance and signal for genome browsers",
    "report": "write one HTML page of runs, with a gene browser",
    "sweep": "train models x datasets x label rules x seeds, and rank the models",
    "leaderboard": "rank the models of finished runs",
    "audit_labels": "compare the published labels with the rules that may have made them",
    "import_weights": "turn a published PyTorch AttentiveChrome into a run directory",
}


def main() -> None:
    """Dispatch to a verb."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: keras-chrome VERB ...\n")
        print("\n".join(f"  {verb:<16}{summary}" for verb, summary in VERBS.items()))
        print("\n`keras-chrome VERB --help` lists a verb's options.")
        return
    # A dash is easier to type than an underscore.
    verb = arguments[0].replace("-", "_")
    if verb not in VERBS:
        print(
            f"error: Expected one of {', '.join(VERBS)}. Received: verb={arguments[0]!r}",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.argv = [f"keras-chrome {arguments[0]}", *arguments[1:]]
    runpy.run_module(f"keras_chrome.{verb}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
