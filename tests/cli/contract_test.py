#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as scripts see it: exit codes, JSON keys, where text goes. Usage:
contract_test.py HEDDLE"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HEDDLE = pathlib.Path(sys.argv.pop(1)).resolve()


def heddle(*arguments, cwd=None, env=None):
    return subprocess.run(
        [HEDDLE, *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, **(env or {})},
    )


def data(*arguments, code=0, cwd=None):
    """The one JSON object on standard output."""
    run = heddle(*arguments, "--json", cwd=cwd)
    if run.returncode != code:
        raise AssertionError(f"heddle {arguments}: exit code {run.returncode}, not {code}\n{run.stderr}")
    return json.loads(run.stdout)


class Workspace(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        (self.path / name).write_text(text)
        return self.path / name


class Usage(Workspace):
    def test_help_everywhere(self):
        commands = ("list show analyze compare prove audit explain draw generate verify profile bench "
                    "run").split()
        self.assertEqual(heddle("--help").returncode, 0)
        for command in commands:
            run = heddle(command, "--help")
            self.assertEqual(run.returncode, 0, command)
            self.assertIn("Usage", run.stdout)

    def test_wrong_usage_is_two(self):
        for wrong in ([], ["dance"], ["show"], ["show", "no_such_pattern"], ["show", "missing.heddle"],
                      ["show", "/"], ["analyze", "attention", "-n", "0"], ["show", "attention", "-P", "w"],
                      ["draw", "attention", "--kind", "sound"], ["draw", "attention", "-o", "x.gif"]):
            run = heddle(*wrong)
            self.assertEqual(run.returncode, 2, wrong)
            self.assertEqual(run.stdout, "", wrong)
            self.assertTrue(run.stderr, wrong)

    def test_no_escapes_away_from_a_terminal(self):
        for run in (heddle("analyze", "linear_recurrence", "-n", "16"), heddle("show", "attention", "-P", "z=1")):
            self.assertNotIn("\x1b", run.stdout + run.stderr)

    def test_data_that_is_lost_is_an_error(self):
        for command in (["list"], ["--help"], ["--explain", "E027"], ["show", "attention", "--json"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                run = subprocess.run([HEDDLE, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(run.returncode, 2, command)
            self.assertIn("cannot write to standard output", run.stderr)

    def test_files_are_written_whole_or_not_at_all(self):
        real, link = self.write("real.md", "before\n"), self.path / "link.md"
        link.symlink_to("real.md")
        self.assertEqual(heddle("explain", "attention", "-o", link).returncode, 0)
        self.assertTrue(link.is_symlink())
        self.assertIn("attention", real.read_text())
        # A device is written to, and is never replaced by a file.
        full = self.path / "full.md"
        full.symlink_to("/dev/full")
        for place in (full, self.path, real / "below.md"):
            run = heddle("explain", "attention", "-o", place)
            self.assertEqual(run.returncode, 2, place)
            self.assertIn(str(place), run.stderr)
        self.assertTrue(pathlib.Path("/dev/full").is_char_device())
        self.assertEqual(sorted(path.name for path in self.path.iterdir()), ["full.md", "link.md", "real.md"])

    def test_a_file_without_an_end_is_refused(self):
        self.assertEqual(heddle("show", "/dev/zero").returncode, 3)
        for command in (["audit"], ["verify", "attention", "--op", "decode", "--kernel"]):
            run = heddle(*command, "/dev/zero")
            self.assertEqual(run.returncode, 1, command)
            self.assertIn("larger", run.stderr)
            self.assertEqual(heddle(*command, self.path).returncode, 2, command)

    def test_explain_knows_every_code(self):
        self.assertEqual(heddle("--explain", "E027").returncode, 0)
        self.assertEqual(heddle("--explain", "E999").returncode, 2)


class Patterns(Workspace):
    def test_list_names_the_builtin_patterns(self):
        names = [entry["name"] for entry in data("list")["patterns"]]
        self.assertEqual(sorted(names), sorted(
            "attention local_attention linear_recurrence order_k_recurrence dense_recurrence chacal "
            "log_attention log_recurrence log_cached sqrt_attention sqrt_recurrence sqrt_cached "
            "fibonacci_recurrence fibonacci_cached strided_attention linear_attention".split()))

    def test_show_round_trips(self):
        for name in ("sqrt_cached", "fibonacci_cached", "strided_attention", "linear_attention"):
            text = heddle("show", name).stdout
            again = heddle("show", self.write("again.heddle", text)).stdout
            self.assertEqual(text, again)

    def test_parameters_and_choice_of_pattern(self):
        two = self.write("two.heddle", "pattern p(w = 4) { A = diagonal; B = window(w) }\n"
                                       "pattern q { A = diagonal; B = none }\n")
        self.assertEqual(heddle("show", two).returncode, 2)
        self.assertIn("pattern q", heddle("show", two, "-p", "q").stdout)
        rows = data("show", two, "-p", "p", "-P", "w=9", "--row", 20)["rows"]
        self.assertEqual(rows[0]["B"], {"size": 9, "intervals": [[11, 19]]})
        self.assertEqual(heddle("show", two, "-p", "p", "-P", "v=9").returncode, 3)


class Analysis(Workspace):
    def test_keys_of_the_contract(self):
        result = data("analyze", "sqrt_cached", "-n", 1024)
        self.assertEqual(result["pattern"], "sqrt_cached")
        self.assertEqual(result["n"], 1024)
        self.assertEqual(len(result["source_sha256"]), 64)
        for key in ("at_n", "max", "total", "class"):
            self.assertIn(key, result["time"])
        for key in ("at_n", "max", "class"):
            self.assertIn(key, result["cache"])
        self.assertEqual(result["cache"]["at_n"], 23)
        self.assertEqual(result["time"]["class"], "O(sqrt n)")
        self.assertEqual(result["cache"]["class"], "O(sqrt n)")
        self.assertEqual(result["depth"], {"at_n": 1023})
        self.assertEqual(result["rank"]["cut"], 512)
        self.assertEqual(result["rank"]["value"], 17)
        self.assertEqual(result["congestion"]["n"], 64)
        self.assertLessEqual(result["congestion"]["lower"], 11)
        self.assertGreaterEqual(result["congestion"]["upper"], 11)
        self.assertEqual(result["hops"]["unreachable_pairs"], 0)
        self.assertEqual(len(result["hops"]["witness"]), 2)
        for claim in result["claims"]:
            self.assertEqual(claim["verdict"], "proved", claim)
            self.assertEqual(claim["scope"], "all i" if "j" not in claim["text"] else claim["scope"])
            self.assertIn("rule", claim)
            self.assertIn("assumes", claim)

    def test_reasons_are_short_in_tables_and_whole_in_json(self):
        for pattern in ("sqrt_recurrence", "log_cached", "local_attention"):
            run = heddle("prove", pattern, "-o", self.path)
            self.assertLessEqual(max(map(len, run.stdout.splitlines())), 120, run.stdout)
            rules = [claim["rule"] for claim in data("prove", pattern, "-o", self.path)["claims"]]
            self.assertTrue(any(": " in rule for rule in rules), rules)
            self.assertFalse(any(rule in run.stdout for rule in rules), run.stdout)

    def test_cut_and_copy(self):
        result = data("analyze", "log_cached", "-n", 200, "--cut", 50, "--copy", 16)
        self.assertEqual(result["rank"]["cut"], 50)
        self.assertEqual(result["congestion"]["n"], 16)
        self.assertEqual((result["congestion"]["lower"], result["congestion"]["upper"]), (4, 4))

    def test_expressivity(self):
        result = data("analyze", "sqrt_recurrence", "-n", 2048)
        hops = result["hops"]
        self.assertEqual((hops["max"], hops["witness"]), (4, [59, 1]))
        self.assertEqual((hops["path"][0], hops["path"][-1], len(hops["path"])), (1, 59, 5))
        self.assertEqual(sum(hops["distribution"]), 2048 * 2047 // 2)
        self.assertEqual(hops["distribution"][1], sum(2047 - k * k for k in range(46)))
        self.assertEqual((hops["semigroup"]["generators"], hops["semigroup"]["gcd"]), ([1], 1))
        self.assertEqual(result["congestion"]["lower_class"], "Omega(1)")
        # Outputs j..i at most i - j + 1 of them: between linear and 2^n many paths.
        paths = result["paths"]
        self.assertEqual((paths["from"], paths["to"]), (1, 2048))
        self.assertEqual(int(paths["count"]).bit_length(), paths["bits"])
        mixing = result["mixing"]
        self.assertLess(mixing["half_life"], mixing["age_90"])
        self.assertAlmostEqual(mixing["profile"][0]["weight"] + mixing["profile"][0]["older"], 1)

        result = data("analyze", "sqrt_cached", "-n", 1024)
        self.assertEqual(result["rank"]["class"], "O(sqrt n)")
        self.assertEqual(result["congestion"]["lower_class"], "Omega(sqrt n)")
        self.assertIsNone(result["hops"]["semigroup"])
        cuts = dict(map(tuple, result["rank"]["by_cut"]["cuts"]))
        self.assertEqual(cuts[512], result["rank"]["value"])
        self.assertGreaterEqual(result["rank"]["by_cut"]["max"], 17)
        self.assertNotIn("weights", result["congestion"])

        result = data("analyze", "linear_attention", "-n", 64, "-P", "state=8")
        self.assertEqual(result["rank"]["value_times_state"], 8 * result["rank"]["value"])

        steps = self.write("steps.heddle", "pattern p { A = diagonal\n"
                                           "B = { i - 4 : 4 < i } | { i - 9 : 9 < i } }")
        result = data("analyze", steps, "-n", 64)
        self.assertEqual(result["hops"]["semigroup"]["generators"], [4, 9])
        self.assertEqual(result["hops"]["semigroup"]["frobenius"], 4 * 9 - 4 - 9)
        self.assertEqual(result["hops"]["semigroup"]["scope"], "every n")

    def test_hops_of_large_irregular_patterns_are_sampled(self):
        hops = data("analyze", "log_cached", "-n", 400000, "--copy", 8)["hops"]
        self.assertIsNone(hops["unreachable_pairs"])
        self.assertIn("reason", hops)
        self.assertEqual(hops["sampled"]["confidence"], 0.95)
        self.assertLess(hops["sampled"]["mean_half_width"], 0.1 * hops["mean"])
        self.assertLess(hops["sampled"]["share_beyond_max"], 0.05)

    def test_a_false_claim_is_refuted_at_its_smallest_place(self):
        path = self.write("false.heddle", "pattern p { f(k) = 2^k; A = diagonal; B = offsets(f)\n"
                                          "claim hops(i, j) <= log2(i - j)\nclaim time(i) <= 3 }\n")
        result = data("analyze", path, "-n", 64, code=1)
        self.assertEqual([c["verdict"] for c in result["claims"]], ["refuted", "refuted"])
        self.assertEqual(result["claims"][0]["counterexample"], {"i": 2, "j": 1, "value": 1, "bound": 0})
        # rowB(i) = {k : 2^k < i}: three positions from i = 5 on, and one input.
        self.assertEqual(result["claims"][1]["counterexample"], {"i": 5, "value": 4, "bound": 3})
        self.assertEqual([c["smallest"] for c in result["claims"]], [True, True])

    def test_unreachable_pairs_and_tiny_n(self):
        result = data("analyze", self.write("none.heddle", "pattern p { A = diagonal; B = none }"), "-n", 1)
        self.assertIsNone(result["hops"]["max"])
        self.assertIn("reason", result["hops"])
        result = data("analyze", self.write("none.heddle", "pattern p { A = none; B = none }"), "-n", 9)
        self.assertEqual(result["hops"]["unreachable_pairs"], 36)
        self.assertEqual(result["time"], {**result["time"], "at_n": 0, "max": 0, "total": 0})


class Comparison(Workspace):
    def test_cells_agree_with_analyze_and_are_kept(self):
        env = {"HEDDLE_CACHE_DIR": str(self.path / "cache")}
        arguments = ["compare", "log_cached", "local_attention:w=4", "-n", "64,32", "--json"]
        first = heddle(*arguments, env=env)
        self.assertEqual(first.returncode, 0, first.stderr)
        cells = json.loads(first.stdout)["cells"]
        self.assertEqual([(cell["pattern"], cell["n"]) for cell in cells],
                         [("log_cached", 32), ("log_cached", 64),
                          ("local_attention:w=4", 32), ("local_attention:w=4", 64)])
        alone = data("analyze", "log_cached", "-n", 64)
        self.assertEqual(cells[1]["time"], alone["time"]["max"])
        self.assertEqual(cells[1]["cache"], alone["cache"]["max"])
        self.assertEqual(cells[1]["congestion_lower"], alone["congestion"]["lower"])
        self.assertEqual(cells[1]["rank"], alone["rank"]["value"])
        self.assertEqual(cells[2]["congestion_upper"], "inf")
        self.assertEqual(len(list((self.path / "cache" / "measures").iterdir())), 4)
        self.assertEqual(heddle(*arguments, env=env).stdout, first.stdout)
        # A damaged entry is computed again.
        for kept in (self.path / "cache" / "measures").iterdir():
            kept.write_text(kept.read_text()[:40])
        self.assertEqual(heddle(*arguments, env=env).stdout, first.stdout)

    def test_csv_and_picture(self):
        self.write("two.heddle", "pattern a { A = diagonal\nB = window(1) }\n"
                                 "pattern b(s = 2) { A = diagonal\nB = window(s) }\n")
        run = heddle("compare", "two.heddle", "-n", "16", "--csv", "-o", "out.svg", cwd=self.path)
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stdout.splitlines()
        self.assertEqual(lines[0].split(",")[:3], ["pattern", "n", "time"])
        self.assertEqual([line.split(",")[0] for line in lines[1:3]], ["a", "b"])
        self.assertIn("<svg", (self.path / "out.svg").read_text())

    def test_wrong_usage(self):
        for wrong in (["--json", "--csv"], ["-n", "0"], ["-n", "x"], ["no_such_pattern"],
                      ["-n", "8", "--cut", "9"], ["log_cached:w=2"], ["-o", "x.gif"]):
            run = heddle("compare", *wrong)
            self.assertIn(run.returncode, (2, 3), wrong)
            self.assertNotEqual(run.stderr, "", wrong)


class Certificates(Workspace):
    def test_prove_and_audit(self):
        run = heddle("prove", "sqrt_cached", "-o", self.path)
        self.assertEqual(run.returncode, 0, run.stderr)
        files = list(self.path.glob("*.json"))
        self.assertEqual(len(files), 1)
        audit = heddle("audit", files[0])
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        certificate = files[0].read_text()
        forged = self.write("forged.json", certificate.replace("sqrt(i) + 2", "sqrt(i) + 1"))
        self.assertEqual(heddle("audit", forged).returncode, 1)
        self.assertIn(heddle("audit", self.write("noise.json", "{}")).returncode, (1, 2))
        explained = heddle("explain", files[0])
        self.assertEqual(explained.returncode, 0, explained.stderr)
        self.assertIn("## `cache(i) <= sqrt(i) + 2`", explained.stdout)
        self.assertEqual(heddle("explain", forged).returncode, 1)
        self.assertEqual(heddle("explain", "linear_recurrence").stdout.count("# What is proved"), 1)

    def test_a_smallest_counterexample_is_audited(self):
        path = self.write("far.heddle", "pattern far { f(k) = 2^k; A = diagonal; B = offsets(f)\n"
                                        "claim hops(i, j) <= 25\nclaim time(i) <= 3 }\n")
        self.assertEqual(heddle("prove", path, "-o", self.path).returncode, 1)
        certificate = self.path / "far.certificate.json"
        audit = heddle("audit", certificate)
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        self.assertIn("hops(i, j) <= 25 fails nowhere before i = 67108864, j = 1: proved of all i <= 67108863",
                      audit.stdout)
        self.assertIn("time(i) <= 3 fails nowhere before i = 5: every place was evaluated", audit.stdout)
        self.assertIn("Refuted at i = 5, the smallest place", heddle("explain", certificate).stdout)


class Pictures(Workspace):
    def test_every_kind(self):
        for kind in ("graph", "matrix", "cache", "hops", "congestion", "growth", "cut"):
            out = self.path / f"{kind}.svg"
            self.assertEqual(heddle("draw", "log_cached", "--kind", kind, "-n", 32, "-o", out).returncode, 0)
            self.assertTrue(out.read_text().startswith("<"))
        dot = self.path / "graph.dot"
        self.assertEqual(heddle("draw", "log_cached", "--kind", "graph", "-n", 32, "-o", dot).returncode, 0)
        self.assertIn("digraph", dot.read_text())
        self.assertIn("log_cached", heddle("draw", "log_cached", "-n", 64).stdout)


class Kernels(Workspace):
    def test_generate_writes_a_manifest(self):
        for target in ("cpu", "cuda"):
            out = self.path / target
            run = heddle("generate", "log_cached", "--target", target, "--head-dim", 32, "-o", out)
            self.assertEqual(run.returncode, 0, run.stderr)
            manifest = json.loads((out / "manifest.json").read_text())
            self.assertEqual(manifest["pattern"], "log_cached")
            self.assertEqual({kernel["op"] for kernel in manifest["kernels"]}, {"prefill", "decode", "backward"})
            for kernel in manifest["kernels"]:
                for launch in kernel.get("steps", [kernel]):
                    self.assertTrue((out / launch["file"]).exists())
            self.assertEqual(manifest["causality"], "proved")
            self.assertEqual(manifest["verdict"], "verified")
            self.assertLessEqual({"pattern", "emulated", "algebraic"}, {layer["name"] for layer in manifest["layers"]})
            for included in manifest["includes"]:
                digest = hashlib.sha256((out / included["file"]).read_bytes()).hexdigest()
                self.assertEqual(digest, included["sha256"])

    def test_sequences_of_different_lengths(self):
        out = self.path / "varlen"
        run = heddle("generate", "log_cached", "--varlen", "--page-rows", 8, "--op", "decode",
                     "--target", "cpu", "--head-dim", 8, "-o", out)
        self.assertEqual(run.returncode, 0, run.stderr)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual((manifest["format"], manifest["lengths"]), (2, "varlen"))
        self.assertEqual(manifest["verdict"], "verified")
        names = [argument["name"] for argument in manifest["kernels"][0]["arguments"]]
        self.assertIn("starts", names)
        self.assertIn("pages_b", names)
        for wrong, why in ((["linear_attention", "--varlen", "--op", "decode", "--page-rows", 8],
                            "not kept in pages"),
                           (["log_cached", "--page-rows", 8], "starts of their own"),
                           (["log_cached", "--varlen", "--page-rows", 6], "power of two")):
            run = heddle("generate", *wrong, "--no-verify", "-o", self.path / "none")
            self.assertEqual(run.returncode, 2, wrong)
            self.assertIn(why, run.stderr)
        run = heddle("bench", "log_cached", "--varlen")
        self.assertEqual(run.returncode, 2)
        self.assertIn("--op prefill --backend cpu only", run.stderr)
        run = heddle("bench", "log_cached", "--varlen", "--op", "prefill", "-n", 100, "--batch", 3,
                     "--heads", 1, "--head-dim", 8, "--unverified", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        names = [row["name"] for row in json.loads(run.stdout)["results"]]
        self.assertEqual(names, ["heddle", "heddle, padded"])

    def test_gates_for_each_key(self):
        out = self.path / "keys"
        run = heddle("generate", "linear_attention", "--gates", "key", "--state-dim", 3, "--head-dim", 8, "--target",
                     "cpu", "-o", out)
        self.assertEqual(run.returncode, 0, run.stderr)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual((manifest["verdict"], manifest["gates"]), ("verified", "key"))
        for kernel in manifest["kernels"]:
            shapes = {argument["name"]: argument.get("shape") for argument in kernel["arguments"]}
            self.assertEqual(shapes["gate"][2:], ["heads", "3"])
        for wrong in (["log_cached", "--weights", "linear", "--state-dim", 3], ["linear_recurrence"]):
            run = heddle("generate", *wrong, "--gates", "key", "--target", "cpu", "-o", self.path / "none")
            self.assertEqual(run.returncode, 2)
            self.assertIn("gates for each key are those of linear weights of first order", run.stderr)

    def test_matrix_states_of_any_pattern(self):
        out = self.path / "matrices"
        run = heddle("generate", "log_cached", "--weights", "linear", "--state-dim", 3, "--head-dim", 8,
                     "--target", "cpu", "-o", out)
        self.assertEqual(run.returncode, 0, run.stderr)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual((manifest["verdict"], manifest["weights"], manifest["state_dim"]), ("verified", "linear", 3))
        shapes = {argument["name"]: argument["shape"] for argument in manifest["kernels"][0]["arguments"]
                  if argument["kind"] == "buffer"}
        self.assertEqual(shapes["final_b_val"], ["batch", "slots_b", "heads", "3", "8"])
        self.assertIn("coef_b", shapes)
        self.assertNotIn("gate", shapes)
        for wrong, why in ((["log_cached"], "1..256 rows"),
                           (["log_attention", "--state-dim", 3], "A = diagonal and a B with entries"),
                           (["chacal", "--state-dim", 3], "A = diagonal and a B with entries"),
                           (["log_cached", "--state-dim", 3, "--varlen"], "one length"),
                           (["log_cached", "--state-dim", 3, "--op", "backward", "--state"], "whole ones"),
                           (["log_cached", "--state-dim", 0], "--state-dim"),
                           (["log_cached", "--state-dim", 257], "--state-dim")):
            run = heddle("generate", *wrong, "--weights", "linear", "--no-verify", "-o", self.path / "none")
            self.assertEqual(run.returncode, 2, wrong)
            self.assertIn(why, run.stderr)
        run = heddle("generate", "log_cached", "--state-dim", 3, "--no-verify", "-o", self.path / "none")
        self.assertEqual(run.returncode, 2)
        self.assertIn("--state-dim is of matrix states", run.stderr)

    def test_gradients_of_states_and_decode_of_several_tokens(self):
        out = self.path / "handed"
        run = heddle("generate", "log_cached", "--op", "backward,decode", "--state", "--several",
                     "--target", "cpu", "--head-dim", 8, "-o", out)
        self.assertEqual(run.returncode, 0, run.stderr)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual((manifest["format"], manifest["verdict"]), (1, "verified"))
        names = {kernel["op"]: [argument["name"] for argument in kernel["arguments"]]
                 for kernel in manifest["kernels"]}
        for name in ("initial_b_pos", "final_b_pos", "dfinal_b_val", "dinitial_b_key", "start"):
            self.assertIn(name, names["backward"])
        self.assertIn("new_tokens", names["decode"])
        run = heddle("generate", "log_cached", "--op", "backward", "--state", "--varlen", "--target", "cuda",
                     "--head-dim", 8, "-o", self.path / "lengths")
        self.assertEqual(run.returncode, 0, run.stderr)
        manifest = json.loads((self.path / "lengths" / "manifest.json").read_text())
        self.assertEqual((manifest["format"], manifest["lengths"], manifest["verdict"]), (3, "varlen", "verified"))
        names = [argument["name"] for argument in manifest["kernels"][0]["arguments"]]
        for name in ("offsets", "starts", "longest", "dfinal_b_val", "dinitial_b_key", "start"):
            self.assertIn(name, names)
        for wrong, why in ((["log_cached", "--state", "--op", "prefill"], "by backward"),
                           (["log_cached", "--several", "--op", "backward"], "for decode")):
            run = heddle("generate", *wrong, "--no-verify", "-o", self.path / "none")
            self.assertEqual(run.returncode, 2, wrong)
            self.assertIn(why, run.stderr)
        for flag in ("--state", "--several"):
            self.assertEqual(heddle("bench", "log_cached", flag).returncode, 2)

    def test_a_text_of_ones_own_is_one_launch_of_several(self):
        ask = ("linear_recurrence", "--op", "prefill", "--target", "cuda", "--weights", "given", "--schedule", "scan",
               "--head-dim", 8)
        out = self.path / "scan"
        heddle("generate", *ask, "--no-verify", "-o", out)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(manifest["format"], 3)
        file = manifest["kernels"][0]["steps"][2]["file"]
        text = (out / file).read_text()
        self.assertIn("chunk == chunks - 1", text)
        verify = ("verify", *ask, "--kernel")
        self.assertEqual(data(*verify, self.write(file, text))["verdict"], "verified")
        broken = text.replace("chunk == chunks - 1", "chunk == 0")
        self.assertEqual(data(*verify, self.write(file, broken), code=1)["verdict"], "rejected")
        # Which launch this would be nobody knows, and no other text is looked at instead.
        refused = heddle(*verify, self.write("linear_recurrence_prefill.cu", broken))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("several launches", refused.stderr)

    def test_a_pattern_that_is_not_proved_causal_has_no_verified_kernels(self):
        # Causal, since a square leaves 0 or 1 when divided by 4, which no rule of the prover knows.
        hard = self.write("hard.heddle", "pattern hard {\n  A = diagonal\n"
                          "  B = { i - 1 + max(0, i * i mod 4 - 1) : i >= 2 }\n}\n")
        out = self.path / "hard"
        run = heddle("generate", hard, "--target", "cpu", "--head-dim", 8, "-o", out)
        self.assertEqual(run.returncode, 4, run.stderr)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(manifest["causality"], "checked")
        self.assertGreater(manifest["causality_rows"], 100)
        self.assertEqual(manifest["verdict"], "unknown")

    def test_a_verdict_is_kept_for_the_same_texts_only(self):
        ask = ("verify", "log_cached", "--op", "decode", "--target", "cuda", "--head-dim", 5, "-n", 33)
        before = os.environ.get("HEDDLE_CACHE_DIR")
        os.environ["HEDDLE_CACHE_DIR"] = str(self.path / "cache")
        try:
            first, second, again = data(*ask), data(*ask), data(*ask, "--again")
            other = data(*ask[:-1], 34)
            for kept in (self.path / "cache" / "verdicts").iterdir():
                kept.write_text(kept.read_text()[:-1])  # damaged: as if it were not there
            damaged = data(*ask)
        finally:
            os.environ.pop("HEDDLE_CACHE_DIR")
            if before is not None:
                os.environ["HEDDLE_CACHE_DIR"] = before
        self.assertEqual([r["cached"] for r in (first, second, again, other, damaged)],
                         [False, True, False, False, False])
        self.assertEqual(first["obligations"], second["obligations"])
        self.assertEqual(first["verdict"], "verified")

    def test_verify_accepts_ours_and_rejects_a_broken_text(self):
        result = data("verify", "log_cached", "--op", "prefill", "--target", "cuda", "--head-dim", 16, "-n", 70)
        self.assertEqual(result["verdict"], "verified")
        self.assertTrue(result["obligations"])
        self.assertEqual(result["failures"], [])
        for obligation in result["obligations"]:
            self.assertLessEqual({"name", "verdict", "method"}, set(obligation))
        out = self.path / "k"
        heddle("generate", "log_cached", "--op", "prefill", "--target", "cuda", "--head-dim", 16, "-o", out)
        manifest = json.loads((out / "manifest.json").read_text())
        text = (out / manifest["kernels"][0]["file"]).read_text()
        broken = self.write("broken.cu", text.replace("__syncthreads();", "", 1))
        self.assertIn("__syncthreads();", text)
        result = data("verify", "log_cached", "--op", "prefill", "--target", "cuda", "--head-dim", 16, "-n", 70,
                      "--kernel", broken, code=1)
        self.assertEqual(result["verdict"], "rejected")
        self.assertTrue(result["failures"])
        for failure in result["failures"]:
            self.assertLessEqual({"kind", "message", "where"}, set(failure))

    def test_a_verdict_rests_on_proofs_where_they_are_decided(self):
        ask = ("linear_recurrence", "--op", "prefill", "--target", "cuda", "--weights", "given", "--head-dim", 16)
        verify = ("verify", *ask, "-n", 40)
        result = data(*verify)
        self.assertEqual(result["verdict"], "verified")
        proved = {o["name"] for o in result["obligations"] if o["verdict"] == "verified"}
        for family in ("bounds", "races", "initialised", "outputs"):
            self.assertIn(f"cuda: prefill: {family}, for every launch", proved)
        out = self.path / "staged"
        heddle("generate", *ask, "-o", out)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(manifest["kernels"][0]["schedule"], "staged")
        text = (out / manifest["kernels"][0]["file"]).read_text()
        # The same to a compiler, but no text that the proofs are about.
        other = text.replace("minimum(32, tokens", "minimum(static_cast<Index>(32), tokens", 1)
        self.assertNotEqual(text, other)
        result = data(*verify, "--kernel", self.write("other.cu", other), code=4)
        self.assertEqual(result["verdict"], "unknown")
        # A type that the layer does not read leaves the verdict to the other layers.
        result = data("verify", "linear_recurrence", "--op", "decode", "--target", "cuda", "--weights", "given",
                      "--head-dim", 16, "--dtype", "f16", "-n", 9)
        self.assertEqual(result["verdict"], "verified")

    def test_profile_counts(self):
        result = data("profile", "log_cached", "--op", "prefill", "--head-dim", 16, "-n", 64)
        for kernel in result["kernels"]:
            for key in ("global_bytes_read", "global_bytes_written", "minimum_bytes", "sectors_per_request",
                        "shared_bank_conflicts", "barriers", "flops", "registers", "shared_bytes", "spilled_bytes"):
                self.assertIn(key, kernel)
            # Counted one by one in a run; the definition's multiply-adds are among them.
            self.assertGreater(kernel["flops"], kernel["definition_flops"])
            for key in ("global_bytes_read", "global_bytes_written", "shared_bank_conflicts", "barriers"):
                self.assertEqual(sum(phase[key] for phase in kernel["phases"]), kernel[key])
            self.assertGreater(len(kernel["phases"]), 1)
            # The cost model's account of bytes is exact, that of flops is not.
            self.assertEqual(kernel["schedule"], "staged")
            self.assertEqual(kernel["predicted_bytes"], kernel["global_bytes_read"] + kernel["global_bytes_written"])
            self.assertLess(abs(kernel["predicted_flops"] / kernel["flops"] - 1), 0.1)
            for line in kernel["roofline_estimate"]:
                self.assertGreater(line["counted_us"], line["floor_us"])

    def test_profile_estimates_cycles(self):
        result = data("profile", "log_recurrence", "--cycles", "--head-dim", 16, "-n", 64, "--batch", 2, "--heads", 3)
        self.assertIn("not a measurement", result["estimate"])
        self.assertEqual((result["tokens"], result["batch"], result["heads"]), (64, 2, 3))
        self.assertEqual({each["op"] for each in result["operations"]}, {"prefill", "decode", "backward"})
        for operation in result["operations"]:
            self.assertNotIn("not_estimated", operation)
            for launch in operation["launches"]:
                self.assertEqual(launch["blocks"] % 6, 0)
                self.assertGreater(launch["milliseconds"], 0)
                self.assertEqual(sum(phase["cycles"] for phase in launch["phases"]), launch["cycles"])
                for phase in launch["phases"]:
                    longest = max(phase[each] for each in ("chain", "issue", "requests", "products"))
                    self.assertGreater(phase["cycles"], longest)
                    self.assertEqual(phase[phase["bound_by"]], longest)
        result = data("profile", "attention", "--cycles", "--op", "prefill", "--dtype", "bf16", "--schedule", "tensor",
                      "-n", 64)
        phases = result["operations"][0]["launches"][0]["phases"]
        self.assertGreater(sum(phase["products"] for phase in phases), 0)
        # What is not in the model is said, and nothing is made up for it.
        result = data("profile", "log_cached", "--cycles", "--op", "decode", "-n", 64, code=4)
        self.assertEqual(result["operations"][0]["launches"], [])
        self.assertIn("not made up here", result["operations"][0]["not_estimated"])
        self.assertEqual(heddle("profile", "log_recurrence", "--cycles", "--target", "cpu").returncode, 2)

    def test_bench_has_baselines_and_checks(self):
        result = data("bench", "log_cached", "--backend", "cpu", "-n", 256, "--head-dim", 16, "--heads", 2,
                      "--op", "prefill", "--weights", "given")
        names = {row["name"] for row in result["results"]}
        self.assertLessEqual({"eigen-sparse", "eigen-dense"}, names)
        for row in result["results"]:
            for key in ("op", "n", "batch", "heads", "head_dim", "dtype", "median_ms", "p10_ms", "p90_ms",
                        "gb_per_s", "gflop_per_s", "max_rel_error"):
                self.assertIn(key, row)

    def test_bench_alone_has_no_baselines(self):
        result = data("bench", "log_cached", "-n", 64, "--head-dim", 16, "--op", "prefill", "--unverified", "--alone")
        self.assertEqual([row["name"] for row in result["results"]], ["heddle"])

    def test_no_device_is_five(self):
        if pathlib.Path("/dev/nvidia0").exists():
            self.skipTest("this machine has a device")
        run = heddle("bench", "log_cached", "--backend", "cuda", "-n", 64)
        self.assertEqual(run.returncode, 5)
        self.assertEqual(run.stdout, "")


if __name__ == "__main__":
    unittest.main()
