#include "source/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

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
  // Of the copy: "tree", "lock".
  std::string at(const std::string& name) const {
    return fs::path(mirror_->tree()).parent_path() / name;
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

TEST_F(MirrorTest, WhatIsMissingIsMadeAgain) {
  for (const auto* name : {"sources", "sources/ID", "tree", "incoming", "listing.json", "lock"}) {
    put("a.wasm", "content");
    put("api/b.wasm", "other");
    const std::string lost = name == std::string_view("sources")      ? root_ + "/sources"
                             : name == std::string_view("sources/ID") ? at("")
                                                                      : at(name);
    const bool is_tree_lost =
        lost != at("incoming") && lost != at("listing.json") && lost != at("lock");
    fs::remove_all(lost);
    const auto mended = mirror_->mend();
    ASSERT_TRUE(mended) << name << ": " << mended.error().message;
    // Never an empty folder where functions were.
    EXPECT_EQ(fs::exists(mirror_->tree()), !is_tree_lost) << name;
    EXPECT_EQ(mirror_->has_whole(*mirror_->entries().find("a.wasm")), !is_tree_lost) << name;
    ASSERT_TRUE(mirror_->apply({}, {}));
    EXPECT_EQ(fs::exists(mirror_->tree()), !is_tree_lost) << name;
    EXPECT_TRUE(fs::is_regular_file(listing())) << name;
    put("a.wasm", "new");
    put("api/b.wasm", "new");
    EXPECT_EQ(text_of("a.wasm"), "new") << name;
    open();
    EXPECT_TRUE(mirror_->synced_at()) << name;
    EXPECT_EQ(text_of("api/b.wasm"), "new") << name;
  }
}

TEST_F(MirrorTest, AnotherServerMayHaveTheCopyByNow) {
  put("a.wasm", "content");
  fs::remove_all(root_ + "/sources");
  auto second = Mirror::open(root_ + "/sources", "s3://fns at host");
  ASSERT_TRUE(second);
  ASSERT_EQ((*second)->tree(), mirror_->tree());
  for (int look = 0; look < 2; ++look) {
    const auto mended = mirror_->mend();
    ASSERT_FALSE(mended);
    EXPECT_THAT(mended.error().message, ::testing::HasSubstr("another server has it now"));
  }
  second->reset();
  EXPECT_TRUE(mirror_->mend());
}

// As a process that ends and one that begins, and under one that goes on.
TEST_F(MirrorTest, WhatIsOfTheWrongKindIsMadeAnew) {
  fs::create_directories(root_ + "/elsewhere/d");
  std::ofstream(root_ + "/elsewhere/d/file") << "elsewhere";
  using Damage = std::function<void(const std::string&)>;
  const std::vector<std::pair<const char*, Damage>> damages = {
      {"file", [](const std::string& path) { std::ofstream(path) << "x"; }},
      {"link", [this](const std::string& to) { fs::create_symlink(root_ + "/elsewhere", to); }},
      {"dangling", [](const std::string& path) { fs::create_symlink("/nowhere", path); }},
      {"folder", [](const std::string& path) {
         fs::create_directories(path + "/d");
         std::ofstream(path + "/d/x") << "x";
       }}};
  int number = 0;
  for (const auto* name : {"tree", "incoming", "listing.json", "lock", "tree/a.wasm"}) {
    for (const auto& [kind, damage] : damages) {
      for (const bool is_live : {false, true}) {
        SCOPED_TRACE(fmt::format("{} is a {}, {}", name, kind, is_live ? "live" : "at rest"));
        put("a.wasm", "content");
        const std::string path = at(name);
        if (!is_live) mirror_.reset();
        fs::remove_all(path);
        damage(path);
        if (!is_live) open();
        const auto mended = mirror_->mend();
        ASSERT_TRUE(mended) << mended.error().message;
        mirror_->clean_incoming({});
        const std::string text = fmt::format("new-{}", ++number);
        put("a.wasm", text);
        EXPECT_EQ(text_of("a.wasm"), text);
        open();
        EXPECT_EQ(text_of("a.wasm"), text);
        EXPECT_FALSE(fs::exists(mirror_->tree() + "/d"));
        EXPECT_EQ(read_text_file(root_ + "/elsewhere/d/file", 100).value_or(""), "elsewhere");
      }
    }
  }
}

TEST_F(MirrorTest, NoLinkInTheTreeIsFollowed) {
  put("api/a.wasm", "content");
  put("api/b.wasm", "content");
  const std::string elsewhere = root_ + "/elsewhere";
  const auto move_away = [&] {
    fs::remove_all(elsewhere);
    fs::rename(mirror_->tree() + "/api", elsewhere);
    fs::create_symlink(elsewhere, mirror_->tree() + "/api");
  };
  move_away();
  EXPECT_FALSE(mirror_->has_whole(*mirror_->entries().find("api/a.wasm")));
  ASSERT_TRUE(mirror_->apply({arrive("api/a.wasm", "new")}, {"api/b.wasm"}));
  EXPECT_EQ(text_of("api/a.wasm"), "new");
  EXPECT_FALSE(fs::is_symlink(mirror_->tree() + "/api"));
  EXPECT_EQ(read_text_file(elsewhere + "/a.wasm", 100).value(), "content");
  EXPECT_TRUE(fs::exists(elsewhere + "/b.wasm"));

  put("c.wasm", "other");
  move_away();
  open();
  EXPECT_FALSE(fs::exists(mirror_->tree() + "/api"));
  EXPECT_FALSE(mirror_->entries().contains("api/a.wasm"));
  EXPECT_EQ(text_of("c.wasm"), "other");
  EXPECT_EQ(read_text_file(elsewhere + "/a.wasm", 100).value(), "new");
}

TEST_F(MirrorTest, AnObjectIsNotRemovedForAnother) {
  put("a/b.wasm", "below");
  EXPECT_FALSE(mirror_->apply({arrive("a", "file")}, {}));
  EXPECT_EQ(text_of("a/b.wasm"), "below");
  put("c", "file");
  EXPECT_FALSE(mirror_->apply({arrive("c/d.wasm", "below")}, {}));
  EXPECT_EQ(text_of("c"), "file");
}

TEST_F(MirrorTest, WhatArrivesIsKeptAsAFileOnly) {
  const std::string file = mirror_->whole_path("a", "1");
  const std::string folder = mirror_->part_path("b", "1");
  std::ofstream(file) << "x";
  fs::create_directories(folder + "/d");
  mirror_->clean_incoming({file, folder});
  EXPECT_TRUE(fs::exists(file));
  EXPECT_FALSE(fs::exists(folder));
}

// Where a damaged copy has nothing left to serve, the bucket is waited for.
TEST_F(MirrorTest, WithNothingLeftItIsAsIfNothingHadEverBeenThere) {
  put("a.wasm", "content");
  std::ofstream(mirror_->tree() + "/a.wasm") << "x";
  open();
  EXPECT_FALSE(mirror_->synced_at());
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
