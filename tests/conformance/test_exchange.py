"""Programs in other languages: prompts out, answers in, everything wrong with an answer has a name."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from nbody_ref import cli
from nbody_ref.conformance.exchange import generate, read_tensors, tensors, verify
from nbody_ref.errors import DataError, FileError

PROGRAM = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>
namespace fs = std::filesystem;

// Answers prompts of "solid", lmax = 1, normalization "norm" or "integral", orders 0 and 1.
static std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

static std::vector<double> tensor(const std::string& content, const std::string& name) {
    uint64_t length;
    std::memcpy(&length, content.data(), 8);
    const std::string header = content.substr(8, length);
    size_t at = header.find("\"data_offsets\"", header.find("\"" + name + "\""));
    at = header.find('[', at) + 1;
    const size_t begin = std::stoull(header.substr(at)), end = std::stoull(header.substr(header.find(',', at) + 1));
    std::vector<double> values((end - begin) / 8);
    if (end > begin) std::memcpy(values.data(), content.data() + 8 + length + begin, end - begin);
    return values;
}

int main(int, char** argv) {
    for (const auto& entry : fs::directory_iterator(argv[1])) {
        if (entry.path().extension() != ".safetensors") continue;
        const std::string prompt = slurp(entry.path()), text = slurp(fs::path(entry.path()).replace_extension(".json"));
        const bool integral = text.find("\"integral\"") != std::string::npos;
        const int order = text[text.find("\"order\": ") + 9] - '0';
        if (order == 2) continue;
        const double a = integral ? 0.5 / std::sqrt(M_PI) : 1.0, b = integral ? std::sqrt(0.75 / M_PI) : 1.0;
        const auto r = tensor(prompt, "r");
        const auto g = order ? tensor(prompt, "cotangent") : std::vector<double>();
        const size_t n = r.size() / 3;
        std::vector<double> out(n * (order ? 3 : 4));
        for (size_t i = 0; i < n; ++i) {
            const double *p = &r[3 * i], *q = order ? &g[4 * i] : nullptr;
            if (order) { out[3 * i] = b * q[3]; out[3 * i + 1] = b * q[1]; out[3 * i + 2] = b * q[2]; }
            else { out[4 * i] = a; out[4 * i + 1] = b * p[1]; out[4 * i + 2] = b * p[2]; out[4 * i + 3] = b * p[0]; }
        }
        std::ostringstream header;
        header << "{\"" << (order ? "r" : "out") << "\":{\"dtype\":\"F64\",\"shape\":[" << n << "," << (order ? 3 : 4)
               << "],\"data_offsets\":[0," << 8 * out.size() << "]}}";
        const uint64_t length = header.str().size();
        std::ofstream file(fs::path(argv[2]) / entry.path().filename(), std::ios::binary);
        file.write(reinterpret_cast<const char*>(&length), 8);
        file << header.str();
        file.write(reinterpret_cast<const char*>(out.data()), 8 * out.size());
    }
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_cpp_program_goes_the_whole_way(tmp_path, capsys):
    (tmp_path / "kernel.cpp").write_text(PROGRAM)
    prompts, answers = tmp_path / "prompts", tmp_path / "answers"
    answers.mkdir()
    assert cli.main(["conform", "gen", str(prompts), "--op", "solid", "--lmax", "1"]) == 0
    program = str(tmp_path / "kernel")
    subprocess.run(["g++", "-std=c++17", "-O1", str(tmp_path / "kernel.cpp"), "-o", program], check=True)
    subprocess.run([program, str(prompts), str(answers)], check=True)
    report = verify(prompts, answers)
    assert {o.order for o in report.outcomes if o.status == "pass"} == {0, 1}
    assert all(o.order == 2 and "no answer" in o.text for o in report.failures) and report.exit_code == 2
    assert cli.main(["conform", "ver", str(prompts), str(answers)]) == 2
    assert "no answer" in capsys.readouterr().out


def answered(folder, change=None):
    """Prompts of couplings, answered from the table; `change` spoils one answer."""
    from nbody_ref import clebsch_gordan

    prompts, answers = folder / "p", folder / "a"
    answers.mkdir()
    generate(prompts, "coupling", "float64", lmax=1)
    for path in sorted(prompts.glob("0*.json")):
        op = json.loads(path.read_text())["operation"]
        C = clebsch_gordan(op["l1"], op["l2"], op["l"])
        (answers / path.with_suffix(".safetensors").name).write_bytes(tensors({"out": C}))
    if change is not None:
        change(answers)
    return verify(prompts, answers)


def test_right_answers_pass(tmp_path):
    report = answered(tmp_path)
    assert report.exit_code == 0 and report.count("pass") == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a header needs at least 8"),
        (b"\xff" * 64, "does not begin"),
        (tensors({"out": np.zeros((1, 1, 1))})[:-3], "truncated"),
        (tensors({"out": np.zeros((1, 1, 1))}) + b"x", "belong to nothing"),
        (tensors({"out": np.zeros((1, 1, 2))}), "expected float64 of shape"),
        (tensors({"out": np.zeros((1, 1, 1), np.float32)}), "expected float64 of shape"),
        (tensors({"out": np.ones((1, 1, 1)), "more": np.zeros(1)}), "unexpected tensor"),
        ((76).to_bytes(8, "little") + b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F64"}}  ',
         "twice"),
    ],
)  # fmt: skip
def test_malformed_answers_are_named(tmp_path, content, words):
    report = answered(tmp_path, lambda folder: next(iter(sorted(folder.iterdir()))).write_bytes(content))
    assert report.exit_code == 2 and report.count("error") == 1
    assert words in report.failures[0].text, report.failures[0].text


def test_a_wrong_number_fails_and_no_folder_is_an_error(tmp_path):
    wrong = tensors({"out": np.full((1, 1, 1), 1.0 + 1e-9)})
    report = answered(tmp_path, lambda folder: next(iter(sorted(folder.iterdir()))).write_bytes(wrong))
    assert report.exit_code == 1 and report.count("fail") == 1
    with pytest.raises(DataError, match="no folder of prompts"):
        verify(tmp_path / "nowhere", tmp_path)
    with pytest.raises(FileError, match="no answer"):
        read_tensors(tmp_path / "nothing.safetensors")


def test_prompts_are_the_same_bytes_every_time(tmp_path):
    for name in ("one", "two"):
        generate(tmp_path / name, "rotation", "float32", lmax=1)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
