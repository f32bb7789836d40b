#pragma once

#include <span>
#include <string>

namespace funcd::registry {

// Of a program that does not print the same twice (times, identifiers, what it draws): why what
// runs from a snapshot have printed is not what plain runs print, or empty. Outputs are cut into
// words and what is between them. What is the same in all plain runs has to be so in the others;
// what is another in each of them must not be the same in all others. `plain` are three at the
// least, made before, between and after the `resumed`, of which there are two. Outputs that differ
// in how many pieces they have are not compared.
[[nodiscard]] std::string difference_in_pieces(std::span<const std::string> plain,
                                               std::span<const std::string> resumed);

}  // namespace funcd::registry
