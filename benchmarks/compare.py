"""Narrows beside ONNX Runtime on the same models, the same threads, in turns, in one run.

    pip install -r benchmarks/requirements.txt
    cargo build --release
    python3 benchmarks/compare.py FOLDER [--threads 2] [--rounds 5] [--runs 10] [--narrows target/release/narrows]

FOLDER holds NAME.onnx, NAME.npz (calibration samples) and, made from them if missing, NAME.narrows. For each
model the rounds go: ours, ONNX Runtime fp32, ONNX Runtime int8 (quantised by itself: static, per channel, QDQ), and so
on, so that all meet the same weather; ours are running, running and committing, and checking in burn. The table is of medians of all
runs.
`narrows bench` compares the root that it timed with the portable engine's and with burn's, and fails if they differ.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--narrows", default="target/release/narrows")
    parser.add_argument("--models", default="resnet50,encoder")
    parser.add_argument("--json", type=pathlib.Path, help="writes every time measured")
    return parser.parse_args()


def inputs_of(session, generator):
    """A random input of the model's shape; open dimensions are 1."""
    made = {}
    for tensor in session.get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 1 for d in tensor.shape]
        if "int" in tensor.type:
            dtype = np.int64 if "64" in tensor.type else np.int32
            made[tensor.name] = generator.integers(0, 65, shape).astype(dtype)
        else:
            made[tensor.name] = generator.standard_normal(shape).astype(np.float32)
    return made


class Peer:
    """One ONNX Runtime session and its input."""

    def __init__(self, path, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = inputs_of(self.session, np.random.default_rng(0))

    def times(self, runs):
        """Milliseconds of each run, after three that do not count."""
        for _ in range(3):
            self.session.run(None, self.input)
        measured = []
        for _ in range(runs):
            begun = time.perf_counter()
            self.session.run(None, self.input)
            measured.append((time.perf_counter() - begun) * 1e3)
        return measured


def quantised(path, folder):
    """The model quantised to int8 by ONNX Runtime itself, calibrated on random inputs: for its speed only."""
    probe = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.samples = iter([inputs_of(probe, generator) for _ in range(4)])

        def get_next(self):
            return next(self.samples, None)

    prepared, out = folder / "prepared.onnx", folder / "int8.onnx"
    quant_pre_process(str(path), str(prepared))
    quantize_static(str(prepared), str(out), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return out


def narrows(binary, *words):
    """The last JSON line that a command prints."""
    done = subprocess.run([binary, "--json", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{binary} {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return lines[-1]


def measure(name, arguments):
    folder = arguments.folder
    model, program = folder / f"{name}.onnx", folder / f"{name}.narrows"
    if not program.exists():
        narrows(arguments.narrows, "compile", model, "--calibrate", folder / f"{name}.npz", "-o", program)
    bench = ["bench", program, "--threads", arguments.threads]
    times = {}

    def add(what, more):
        times.setdefault(what, []).extend(more)

    with tempfile.TemporaryDirectory() as scratch:
        peers = {"fp32": Peer(model, arguments.threads),
                 "int8": Peer(quantised(model, pathlib.Path(scratch)), arguments.threads)}
        for _ in range(arguments.rounds):
            own = narrows(arguments.narrows, *bench, "--no-check", "--runs", arguments.runs)
            add("run", own["run_ms"]["all"])
            add("run and commit", own["run_and_commit_ms"]["all"])
            for peer, session in peers.items():
                add(peer, session.times(arguments.runs))
            checks = narrows(arguments.narrows, *bench, "--runs", arguments.runs)["check_ms"]
            for backend, checked in checks.items():
                add(f"check on {backend}", checked["all"])
    return own, times


def main():
    given = arguments()
    ort.set_default_logger_severity(4)
    everything = {}
    print(f"ONNX Runtime {ort.__version__}, {given.threads} threads, medians in ms; ratios to fp32 and to int8")
    print("| model | work | ms | x fp32 | x int8 |")
    print("|---|---|---|---|---|")
    for name in given.models.split(","):
        own, times = measure(name, given)
        medians = {what: statistics.median(values) for what, values in times.items()}
        for what, median in medians.items():
            label = f"ONNX Runtime {what}" if what in ("fp32", "int8") else f"Narrows {what}"
            fp32, int8 = median / medians["fp32"], median / medians["int8"]
            print(f"| {name} | {label} | {median:.2f} | {fp32:.2f} | {int8:.2f} |")
        over = (medians["run and commit"] / medians["run"] - 1) * 100
        print(f"| {name} | commit's share | {over:+.1f} % | {own['exported_bytes']} bytes hashed |"
              f" peak {(own['peak_bytes'] or 0) / 2**20:.0f} MiB, program {own['program_bytes'] / 2**20:.0f} MiB |")
        everything[name] = {"bench": own, "times": times}
    if given.json:
        given.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
