"""How close integer programs are to their float models: one table, made by one command.

    cargo build --release
    python3 benchmarks/fidelity.py [--narrows target/release/narrows] [--magika MODEL.onnx --magika-samples FOLDER] > FIDELITY.md

The models of fixtures/ are always measured. Magika's model is not part of the repository: with --magika it is measured too, on
FOLDER/calibration.npz and FOLDER/test.npz as fixtures/tools/magika_inputs.py writes them. Calibration and test samples share
nothing. Only the standard library is needed.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS, CHARGPT = ROOT / "fixtures/digits", ROOT / "fixtures/chargpt"


def compile_report(binary, model, calibration, test, profile):
    """The report of one compilation."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [binary, "--json", "compile", model, "--calibrate", calibration, "--test", test, "--profile", profile,
                 "-o", pathlib.Path(scratch) / "m.narrows"]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return next(event["report"] for event in events if event["event"] == "compiled")


def row(name, report):
    test = report["test"]
    percent = lambda count: "" if count is None else f"{100 * count / test['answers']:.2f} %"
    perplexity = ""
    if test["float_perplexity"] is not None:
        change = 100 * (test["integer_perplexity"] / test["float_perplexity"] - 1)
        perplexity = f"{test['float_perplexity']:.4f} → {test['integer_perplexity']:.4f} ({change:+.3f} %)"
    answers = f"{test['samples']} samples" if test["answers"] == test["samples"] else f"{test['answers']} answers"
    cosine = f"{test['output']['mean_cosine']:.5f} / {test['output']['least_cosine']:.5f}"
    print(f"| {name} | {report['profile']} | {answers} | {percent(test['float_right'])} | {percent(test['integer_right'])} "
          f"| {percent(test['agreeing'])} | {cosine} | {perplexity} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--narrows", default=str(ROOT / "target/release/narrows"))
    parser.add_argument("--magika", type=pathlib.Path)
    parser.add_argument("--magika-samples", type=pathlib.Path)
    given = parser.parse_args()
    models = [
        ("digits (convolutions)", DIGITS / "digits.onnx", DIGITS, ["fast", "standard", "exact"]),
        ("character GPT", CHARGPT / "chargpt.onnx", CHARGPT, ["fast", "standard", "exact"]),
    ]
    if given.magika:
        models.append(("magika standard_v3_3", given.magika, given.magika_samples, ["fast", "standard", "exact"]))
    print("# Fidelity\n")
    print("Integer programs beside their float models, on samples that calibration never saw. `benchmarks/fidelity.py` makes this "
          "table. Profiles: fast is\nW8A8, standard W8A16, exact W16A16; the compiler takes fast for convolutional networks and "
          "standard for transformers unless told.\n")
    print("| model | profile | on | float top-1 | integer top-1 | agreement | cosine, mean / least | perplexity |")
    print("|---|---|---|---|---|---|---|---|")
    for name, model, samples, profiles in models:
        for profile in profiles:
            row(name, compile_report(given.narrows, model, samples / "calibration.npz", samples / "test.npz", profile))


if __name__ == "__main__":
    main()
