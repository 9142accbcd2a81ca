// Answers the prompts of `nbody-ref conform gen PROMPTS --op solid --lmax 1`: solid harmonics of degrees 0 and 1 in float64,
// values, gradients and second gradients. No library is needed. Build and judge:
//
//     g++ -std=c++17 -O2 solid.cpp -o solid
//     nbody-ref conform gen PROMPTS --op solid --lmax 1
//     nbody-ref conform ver PROMPTS ANSWERS --program ./solid
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Array = std::vector<double>;

// ---- safetensors: 8 bytes of length (little endian), a JSON header, the numbers in C order

std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

Array read_tensor(const std::string& content, const std::string& name) {
    uint64_t length;
    std::memcpy(&length, content.data(), 8);
    const std::string header = content.substr(8, length);
    const size_t at = header.find("\"" + name + "\"");
    if (at == std::string::npos) throw std::runtime_error("no tensor " + name);
    const size_t open = header.find('[', header.find("\"data_offsets\"", at));
    const size_t begin = std::stoull(header.substr(open + 1));
    const size_t end = std::stoull(header.substr(header.find(',', open) + 1));
    Array values((end - begin) / sizeof(double));
    if (end > begin) std::memcpy(values.data(), content.data() + 8 + length + begin, end - begin);
    return values;
}

// Tensors of shape (rows, width); names in alphabetical order, as std::map keeps them.
void write_tensors(const fs::path& path, size_t rows, const std::map<std::string, Array>& tensors) {
    std::ostringstream header;
    size_t position = 0;
    for (const auto& [name, x] : tensors) {
        const size_t end = position + sizeof(double) * x.size(), width = name == "r" ? 3 : 4;
        header << (position || header.tellp() > 0 ? "," : "{") << "\"" << name << "\":{\"dtype\":\"F64\",\"shape\":[" << rows
               << "," << width << "],\"data_offsets\":[" << position << "," << end << "]}";
        position = end;
    }
    header << "}";
    const std::string text = header.str();
    const uint64_t length = text.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << text;
    for (const auto& [name, x] : tensors) file.write(reinterpret_cast<const char*>(x.data()), sizeof(double) * x.size());
}

// ---- the kernel: out = (a, b y, b z, b x), linear in r but for the constant

Array linear(const Array& r, double constant, double b) {
    Array out;
    for (size_t i = 0; i < r.size(); i += 3) out.insert(out.end(), {constant, b * r[i + 1], b * r[i + 2], b * r[i]});
    return out;
}

Array adjoint(const Array& g, double b) {
    Array r;
    for (size_t i = 0; i < g.size(); i += 4) r.insert(r.end(), {b * g[i + 3], b * g[i + 1], b * g[i + 2]});
    return r;
}

int main(int count, char** arguments) {
    if (count != 3) return std::cerr << "usage: solid PROMPTS ANSWERS\n", 2;
    try {
        for (const auto& entry : fs::directory_iterator(arguments[1])) {
            if (entry.path().extension() != ".safetensors") continue;
            const std::string prompt = slurp(entry.path());
            const std::string text = slurp(fs::path(entry.path()).replace_extension(".json"));
            const bool integral = text.find("\"integral\"") != std::string::npos;
            const int order = text.at(text.find("\"order\": ") + 9) - '0';
            const double pi = 3.14159265358979323846;
            const double a = integral ? std::sqrt(0.25 / pi) : 1.0, b = integral ? std::sqrt(0.75 / pi) : 1.0;
            const Array r = read_tensor(prompt, "r");
            std::map<std::string, Array> answer;
            if (order == 0) answer["out"] = linear(r, a, b);
            if (order == 1) answer["r"] = adjoint(read_tensor(prompt, "cotangent"), b);
            if (order == 2) {  // gradients of <r_dot, gradient in r>
                answer["cotangent"] = linear(read_tensor(prompt, "r_dot"), 0.0, b);
                answer["r"] = Array(r.size(), 0.0);
            }
            write_tensors(fs::path(arguments[2]) / entry.path().filename(), r.size() / 3, answer);
        }
    } catch (const std::exception& error) {
        return std::cerr << error.what() << "\n", 1;
    }
}
