// The main of a fuzz target where there is no libFuzzer: runs every input of the folders that are
// named, then changes of them, for REPLAY_SECONDS (1). What ends the process is left in the file
// crash-TARGET, for tests/corpus/TARGET/ once it is mended.
//
//   x_fuzz_replay FOLDER...

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// NOLINTBEGIN(readability-identifier-naming): libFuzzer's names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Of targets that know better how to change what they take.
extern "C" [[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                             std::size_t size_max, unsigned seed);
// NOLINTEND(readability-identifier-naming)

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kInputBytesMax = 4096;
constexpr int kChangesMax = 4;

// For the handler of signals, which may look at nothing else.
const Bytes* current = nullptr;
std::string crash_path;

void keep_input(int signal) {
  const int file = ::open(crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file >= 0 && current != nullptr) {
    [[maybe_unused]] const ssize_t wrote = ::write(file, current->data(), current->size());
    ::close(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Bytes& input) {
  // A copy that ends where the input ends, so that a sanitizer sees what is read past it.
  const Bytes exact(input.begin(), input.end());
  current = &input;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current = nullptr;
}

std::vector<Bytes> read_inputs(int count, char** folders) {
  std::vector<std::string> paths;
  for (int index = 0; index < count; ++index) {
    if (!std::filesystem::is_directory(folders[index])) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folders[index])) {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> inputs;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Mutator {
 public:
  Mutator(const std::vector<Bytes>& inputs, std::uint64_t seed) : inputs_(inputs), random_(seed) {}

  Bytes next() {
    Bytes input = inputs_.empty() ? Bytes{} : inputs_[below(inputs_.size())];
    if (LLVMFuzzerCustomMutator != nullptr) return change_by_target(std::move(input));
    for (std::size_t changes = 1 + below(kChangesMax); changes > 0; --changes) change(input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }

  Bytes change_by_target(Bytes input) {
    const std::size_t size = input.size();
    input.resize(size + kInputBytesMax);
    input.resize(LLVMFuzzerCustomMutator(input.data(), size, input.size(),
                                         static_cast<unsigned>(random_())));
    return input;
  }

  void change(Bytes& input) {
    const std::size_t at = below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    const auto byte = static_cast<std::uint8_t>(random_());
    switch (below(5)) {
      case 0:
        input.insert(place, byte);
        return;
      case 1:
        if (place != input.end()) input.erase(place);
        return;
      case 2:
        if (place != input.end()) *place = byte;
        return;
      case 3:
        if (place != input.end()) *place ^= static_cast<std::uint8_t>(1U << below(8));
        return;
      default: {
        if (inputs_.empty()) return;
        const Bytes& other = inputs_[below(inputs_.size())];
        const std::size_t from = below(other.size() + 1);
        const std::size_t size = below(other.size() - from + 1);
        const auto begin = other.begin() + static_cast<std::ptrdiff_t>(from);
        input.insert(place, begin, begin + static_cast<std::ptrdiff_t>(size));
      }
    }
  }

  const std::vector<Bytes>& inputs_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  crash_path = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    std::signal(signal, &keep_input);
  }
  const std::vector<Bytes> inputs = read_inputs(argc - 1, argv + 1);
  for (const Bytes& input : inputs) run(input);

  const char* seconds = std::getenv("REPLAY_SECONDS");
  const std::chrono::seconds limit(seconds != nullptr ? std::atoi(seconds) : 1);
  const std::uint64_t seed = std::random_device()();
  Mutator mutator(inputs, seed);
  std::size_t count = 0;
  const auto end = std::chrono::steady_clock::now() + limit;
  for (; std::chrono::steady_clock::now() < end; ++count) run(mutator.next());
  std::cout << inputs.size() << " inputs, " << count << " changes of them, seed " << seed << "\n";
  return 0;
}
