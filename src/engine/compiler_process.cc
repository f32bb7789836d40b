#include "engine/compiler_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <ctime>
#include <optional>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/file.h"

namespace funcd::engine {
namespace {

// Of an error's text; of code, more than any artifact becomes.
constexpr std::uint64_t kErrorBytesMax = 16ULL << 10;
constexpr std::uint64_t kCodeBytesMax = 4ULL << 30;
// Those who serve come first.
constexpr int kNiceness = 10;
// How many times its limit a compiler may be there that hardly gets a processor.
constexpr int kWaitsMax = 10;
// How often such a one is looked at.
constexpr std::chrono::milliseconds kLook{200};
constexpr int kFailed = 1;
constexpr std::size_t kArgumentCount = 7;

// The three standard descriptors of the process, files in memory.
struct Files {
  Descriptor artifact;
  Descriptor code;
  Descriptor error;
};

Result<Descriptor> make_file(const char* name) {
  Descriptor file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) return fail("a file in memory: {}", errno_text(errno));
  return file;
}

Result<Files> make_files(std::span<const std::uint8_t> wasm) {
  Files files{TRY(make_file("artifact")), TRY(make_file("code")), TRY(make_file("error"))};
  TRY(write_all(files.artifact.get(), wasm));
  if (::lseek(files.artifact.get(), 0, SEEK_SET) != 0) return fail("{}", errno_text(errno));
  return files;
}

Result<std::vector<std::uint8_t>> read_all(int fd, std::uint64_t bytes_max) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return fail("{}", errno_text(errno));
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > bytes_max) return fail("has more than {} bytes", bytes_max);
  std::vector<std::uint8_t> bytes(size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("{}", got < 0 ? errno_text(errno) : "ends too early");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

// Starts it in a process group of its own, so that what a terminal sends to the server does not
// reach it, with all signals as they are for a new program.
Result<pid_t> spawn(const std::string& executable, std::span<const std::string> arguments,
                    const Files& files) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, files.artifact.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, files.code.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, files.error.get(), STDERR_FILENO);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int code =
      ::posix_spawn(&pid, executable.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return fail("{} cannot be started: {}", executable, errno_text(code));
  return pid;
}

// What all threads of the process have had of processors; nothing when it has none any more.
std::optional<Duration> processor_time(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

enum class Wait : std::uint8_t { ended, timed_out, stopped, impossible };

// Until the process has ended, or is not to go on. Its time is out when it was there for that long
// and had a processor for as long: it yields to all else that runs, which its artifact is not to
// blame for.
Wait wait_for(pid_t pid, int process, std::chrono::milliseconds timeout,
              const std::stop_token& stop) {
  const Descriptor stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped) return Wait::impossible;
  const std::stop_callback on_stop(stop, [&stopped] {
    const std::uint64_t one = 1;
    CHECK(::write(stopped.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one));
  });
  std::array<pollfd, 2> fds = {pollfd{process, POLLIN, 0}, pollfd{stopped.get(), POLLIN, 0}};
  const TimePoint begin = Clock::now();
  TimePoint deadline = begin + timeout;
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      const bool is_starved = processor_time(pid).value_or(timeout) < timeout;
      if (!is_starved || Clock::now() - begin >= kWaitsMax * timeout) return Wait::timed_out;
      left = std::min(kLook, timeout);
      deadline = Clock::now() + left;
    }
    const int count = ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
    if (count < 0 && errno != EINTR) return Wait::timed_out;
    if (count <= 0) continue;
    return fds[0].revents != 0 ? Wait::ended : Wait::stopped;
  }
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Tier> tier_of(std::string_view name) {
  for (const Tier tier : {Tier::baseline, Tier::optimized, Tier::scratch}) {
    if (name == name_of(tier)) return tier;
  }
  return std::nullopt;
}

int report(std::string_view why) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(why.data()), why.size());
  (void)write_all(STDERR_FILENO, bytes);
  return kFailed;
}

// From here on it dies with the server. False when that has ended already: whoever is the parent
// then, it has another number. In a container the server's own may be 1.
bool follow_server(std::uint64_t server) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return static_cast<std::uint64_t>(::getppid()) == server;
}

// Before anything foreign is read: takes no more memory than it may. Reserved address space does
// not count, what is written does.
void bound_this_process(std::uint64_t memory_bytes_max) {
  // Code that is more than `ulimit -f` allows is an error that can be told.
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit memory{memory_bytes_max, memory_bytes_max};
  const rlimit no_core{0, 0};
  if (kIsCompilerMemoryBounded) ::setrlimit(RLIMIT_DATA, &memory);
  ::setrlimit(RLIMIT_CORE, &no_core);
}

}  // namespace

Result<std::vector<std::uint8_t>> CompilerProcess::compile(std::span<const std::uint8_t> wasm,
                                                           Tier tier,
                                                           const std::stop_token& stop) const {
  const EngineOptions& options = engine_.options();
  const std::array<std::string, 1 + 1 + kArgumentCount> arguments = {
      "funcd",
      kCompilerVerb,
      std::string(name_of(tier)),
      engine_.fingerprint(),
      std::to_string(limits_.memory_bytes),
      std::to_string(options.memory_bytes_ceiling),
      std::to_string(options.guest_stack_bytes),
      options.has_epochs ? "1" : "0",
      std::to_string(::getpid())};
  const auto files = make_files(wasm);
  if (!files) return fail("the compiler: {}", files.error().message);
  const pid_t pid = TRY(spawn(executable_, arguments, *files));
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const Wait wait =
      process ? wait_for(pid, process.get(), limits_.timeout, stop) : Wait::impossible;
  const std::string why_not = errno_text(errno);
  if (wait != Wait::ended) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (wait == Wait::impossible) return fail("the compiler cannot be waited for: {}", why_not);
  if (wait == Wait::stopped) return fail("the compiler was stopped");
  if (wait == Wait::timed_out) {
    return fail("takes the compiler longer than {} s; make it smaller, or raise compile.timeout",
                std::chrono::duration<double>(limits_.timeout).count());
  }
  if (WIFSIGNALED(status)) {
    return fail(
        "the compiler ended by signal {}, most likely for want of memory ({} MiB); make it "
        "smaller, or raise compile.memory",
        WTERMSIG(status), limits_.memory_bytes >> 20);
  }
  if (WEXITSTATUS(status) == 0) return read_all(files->code.get(), kCodeBytesMax);
  const auto error = read_all(files->error.get(), kErrorBytesMax);
  if (!error || error->empty()) return fail("the compiler ended with code {}", WEXITSTATUS(status));
  return fail("{}", std::string_view(reinterpret_cast<const char*>(error->data()), error->size()));
}

int run_compiler(std::span<char* const> arguments) {
  if (arguments.size() != kArgumentCount) return report("wrong arguments for a compiler");
  const auto tier = tier_of(arguments[0]);
  const std::string_view fingerprint = arguments[1];
  const auto memory_bytes_max = number_of(arguments[2]);
  const auto ceiling = number_of(arguments[3]);
  const auto stack = number_of(arguments[4]);
  const auto server = number_of(arguments[6]);
  if (!tier || !memory_bytes_max || !ceiling || !stack || !server) {
    return report("wrong arguments for a compiler");
  }
  if (!follow_server(*server)) return report("the server that started the compiler has ended");
  bound_this_process(*memory_bytes_max);
  if (*tier != Tier::baseline) (void)!::nice(kNiceness);
  const auto wasm = read_all(STDIN_FILENO, kCodeBytesMax);
  if (!wasm) return report(wasm.error().message);
  const auto engine = Engine::create({.instances_max = 1,
                                      .memory_bytes_ceiling = *ceiling,
                                      .guest_stack_bytes = static_cast<std::uint32_t>(*stack),
                                      .has_epochs = std::string_view(arguments[5]) == "1"});
  if (!engine) return report(engine.error().message);
  if ((*engine)->fingerprint() != fingerprint) return report("the server's engine is another one");
  const auto code = (*engine)->compile(*wasm, *tier);
  if (!code) return report(code.error().message);
  const auto written = write_all(STDOUT_FILENO, *code);
  if (!written) return report(written.error().message);
  // Nothing is left to do that destructors would be needed for.
  std::_Exit(0);
}

}  // namespace funcd::engine
