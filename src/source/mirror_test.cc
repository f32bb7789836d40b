#include "source/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;

class MirrorTest : public ::testing::Test {
 protected:
  MirrorTest() {
    std::string pattern = (fs::temp_directory_path() / "funcd-mirror-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    open();
  }
  ~MirrorTest() override {
    mirror_.reset();
    fs::remove_all(root_);
  }

  // As a process that ends and one that begins.
  void open() {
    mirror_.reset();
    auto opened = Mirror::open(root_ + "/sources", "s3://fns at host");
    ASSERT_TRUE(opened) << opened.error().message;
    mirror_ = std::move(*opened);
  }
  Mirror::Arrival arrive(const std::string& path, const std::string& text) const {
    const std::string etag = "etag-of-" + text;
    const std::string whole = mirror_->whole_path(path, etag);
    std::ofstream(whole) << text;
    const auto digest = digest_of_file(whole);
    return {path, {etag, digest->bytes, digest->sha256, digest->modified_ns}};
  }
  void put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(mirror_->apply({arrive(path, text)}, {}));
    mirror_->note_synced();
  }
  std::string text_of(const std::string& path) const {
    return read_text_file(mirror_->tree() + "/" + path, 1 << 20).value_or("");
  }
  std::string listing() const { return fs::path(mirror_->tree()).parent_path() / "listing.json"; }

  std::string root_;
  std::unique_ptr<Mirror> mirror_;
};

TEST_F(MirrorTest, WhatArrivesIsThereAfterARestart) {
  EXPECT_FALSE(mirror_->synced_at());
  put("api/a.wasm", "one");
  put("b.wasm", "two");
  open();
  EXPECT_TRUE(mirror_->synced_at());
  EXPECT_EQ(text_of("api/a.wasm"), "one");
  EXPECT_EQ(mirror_->entries().at("b.wasm").etag, "etag-of-two");
  ASSERT_TRUE(mirror_->apply({}, {"api/a.wasm"}));
  EXPECT_FALSE(fs::exists(mirror_->tree() + "/api"));
  open();
  EXPECT_EQ(mirror_->entries().size(), 1U);
}

TEST_F(MirrorTest, WhatWasBegunIsFinished) {
  put("a.wasm", "old");
  // Killed after the listing was written: the file still lies where it arrived.
  const auto arrival = arrive("a.wasm", "new");
  ASSERT_TRUE(mirror_->apply({arrival}, {}));
  fs::rename(mirror_->tree() + "/a.wasm", mirror_->whole_path("a.wasm", arrival.entry.etag));
  std::ofstream(mirror_->tree() + "/a.wasm") << "old";
  open();
  EXPECT_EQ(text_of("a.wasm"), "new");
}

TEST_F(MirrorTest, WhatIsDamagedIsDroppedToBeReadAgain) {
  put("a.wasm", "content");
  put("b.wasm", "other");
  std::ofstream(mirror_->tree() + "/a.wasm") << "damaged";
  std::ofstream(mirror_->tree() + "/stranger.wasm") << "x";
  open();
  EXPECT_FALSE(mirror_->entries().contains("a.wasm"));
  EXPECT_FALSE(fs::exists(mirror_->tree() + "/a.wasm"));
  EXPECT_FALSE(fs::exists(mirror_->tree() + "/stranger.wasm"));
  EXPECT_EQ(text_of("b.wasm"), "other");
}

TEST_F(MirrorTest, LostListingLeavesTheTreeAsItIs) {
  put("a.wasm", "content");
  for (const auto* text : {"", "{", "[]", R"({"objects":{"../x":{}}})"}) {
    std::ofstream(listing()) << text;
    open();
    EXPECT_EQ(text_of("a.wasm"), "content") << text;
    EXPECT_EQ(mirror_->entries().at("a.wasm").etag, "") << text;
  }
}

TEST_F(MirrorTest, SecondServerHasACopyOfItsOwn) {
  auto second = Mirror::open(root_ + "/sources", "s3://fns at host");
  ASSERT_TRUE(second);
  EXPECT_NE((*second)->tree(), mirror_->tree());
}

TEST_F(MirrorTest, NothingIsKeptOfWhatWasNeverWhole) {
  std::ofstream(mirror_->tree() + "/half.wasm") << "x";
  open();
  EXPECT_FALSE(fs::exists(mirror_->tree() + "/half.wasm"));
}

}  // namespace
}  // namespace funcd::source
