#pragma once

namespace funcd::cli {

// The whole command line: exit code 0 done, 1 the thing asked about is bad, 2 wrong usage.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace funcd::cli
