"""The site, built and opened in a browser: no warnings, dead links, requests to other hosts, errors or wide pages, and
nothing that keeps out those who use a keyboard or a screen reader."""

import csv
import shlex
import shutil
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import spinup
from spinup.commands import train
from spinup.experiments.grid import ExperimentGrid

ROOT = Path(spinup.__file__).parents[1]
PAGES = [
    "index",
    "algorithms/td3",
    "spinningup/rl_intro2",
    "spinningup/bench",
    "spinningup/keypapers",
    "utils/logger",
    "wrappers",
    "user/introduction",
    "user/diagnosing",
    "user/running",
    "user/algorithms",
    "user/environments",
    "user/outputs",
    "user/metrics",
    "user/custom_environments",
]  # one of each kind
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.slow
pytest.importorskip("sphinx", reason="the extra docs is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; building fails on any warning."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "-b", "html", str(ROOT / "docs"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return out


class Page(HTMLParser):
    """The links, resources and anchors of a page."""

    def __init__(self, file):
        super().__init__()
        self.links, self.resources, self.anchors = [], [], set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in ("script", "img", "link", "iframe", "source"):
            self.resources += [found[key] for key in ("src", "href") if found.get(key)]


def test_every_link_leads_somewhere_and_nothing_comes_from_another_host(site):
    pages = {file: Page(file) for file in site.rglob("*.html")}
    for file, page in pages.items():
        for address in [*page.links, *page.resources]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                assert address not in page.resources, f"{file} loads {address}"
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            assert target.exists(), f"{file} links to {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{file} links to {address}"


def test_every_item_of_the_checklist_is_on_its_page(site):
    with Path(__file__).with_name("checklist.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    anchors = {page: Page(site / f"{page}.html").anchors for page in {row["page"] for row in rows}}
    assert not [row for row in rows if row["anchor"] not in anchors[row["page"]]]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server(site):
    """The address of the built site over HTTP."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def was_cut_off(request):
    """Whether it is for the icon, the one file that a page may be left without: the next page was opened meanwhile."""
    return request.failure == "net::ERR_ABORTED" and request.url.endswith("/favicon.svg")


def watched(browser, home, width, scheme="light"):
    """A new page of the browser, and the list of its problems: errors, failed requests, requests to elsewhere."""
    page, problems = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page(), []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: None if was_cut_off(request) else problems.append(request.url))
    page.on("request", lambda request: None if request.url.startswith(home) else problems.append(request.url))
    page.on("response", lambda response: problems.append(response.url) if response.status >= 400 else None)
    return page, problems


def test_every_page_opens_over_http_without_errors_and_fits_a_phone(site, server, browser):
    page, problems = watched(browser, server, 360)
    for file in sorted(site.rglob("*.html")):
        address = f"{server}/{file.relative_to(site)}"
        page.goto(address)
        assert not problems, address
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert not page.locator("pre:not([tabindex])").count(), address  # the keyboard can scroll wide code
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_its_file_and_everyone_can_use_it(site, browser, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra dev is not installed").Axe()
    page, problems = watched(browser, "file:", width, scheme)
    page.goto(f"file://{site}/{name}.html")
    assert not problems
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
    assert not serious
    page.context.close()


@pytest.mark.parametrize(
    "name", ["index", "algorithms/td3", "spinningup/extra_pg_proof1", "spinningup/keypapers", "user/running"]
)
def test_paper_holds_the_whole_page_and_nothing_to_press(site, browser, name):
    page, _ = watched(browser, "file:", 680, "dark")  # A4 between margins of 1.5 cm
    page.emulate_media(media="print")
    page.goto(f"file://{site}/{name}.html")
    folded = "(nodes) => nodes.filter((node) => !node.checkVisibility()).map((node) => node.textContent)"
    assert not page.eval_on_selector_all(".sd-tab-set > label, .sd-tab-content, details > *", folded)
    cut = "(nodes) => nodes.filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent)"
    assert not page.eval_on_selector_all("pre, .katex-display, .table-wrapper", cut)
    assert not page.locator(":is(button, select, nav, aside, input:not([type=radio])):visible").count()
    assert not page.locator(".sd-summary-state-marker:visible").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    address = "(links) => links.map((link) => getComputedStyle(link, '::after').content)"
    assert all("http" in text for text in page.eval_on_selector_all("p > a.external:not(.address)", address))
    page.context.close()


def test_equations_and_code_are_there_without_scripts(site, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"file://{site}/algorithms/td3.html")
    assert page.locator(".chain").count() == 5
    assert page.locator(".chain .katex-display").count() == 5
    assert "def td_target" in page.locator(".chain").nth(1).inner_text()
    page.context.close()


@pytest.mark.parametrize("algo", ["vpg", "trpo", "ppo", "dqn", "ddpg", "td3", "sac"])
def test_the_command_builder_writes_commands_that_are_understood(site, browser, algo, monkeypatch):
    page = browser.new_context().new_page()
    page.goto(f"file://{site}/user/running.html")
    builder = page.locator("#command-builder")
    builder.locator("[name=algorithm]").select_option(algo)
    builder.locator("[name=backend]").select_option("jax")
    builder.locator("[name=env]").fill("Pendulum-v1" if algo in ("ddpg", "td3", "sac") else "CartPole-v1")
    builder.locator("[name=add]").click()
    builder.locator("[name=key]").nth(1).select_option("gamma")
    builder.locator("[name=values]").nth(1).fill("0.9 .99 [1]")

    grids = []
    monkeypatch.setattr(ExperimentGrid, "run", lambda grid, *_, **__: grids.append(grid))
    program, *words = shlex.split(builder.locator("pre").inner_text())
    train.main(words)
    (grid,) = grids
    assert (program, words[0], grid.name) == ("spinup", f"{algo}_jax", "first")
    assert len(grid.variants()) == 2 * 3 * 3
    assert builder.locator(".sum").inner_text().startswith("18 runs = 2 hid")
    page.context.close()


def test_the_command_builder_says_what_cannot_be_trained(site, browser):
    page = browser.new_context().new_page()
    page.goto(f"file://{site}/user/running.html")
    builder = page.locator("#command-builder")
    builder.locator("[name=algorithm]").select_option("sac")
    assert "sac cannot act in CartPole-v1" in builder.locator(".sum").inner_text()
    builder.locator("[name=env]").fill("")
    assert "Name an environment" in builder.locator(".sum").inner_text()
    page.context.close()


def test_without_scripts_the_command_builder_shows_an_example(site, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"file://{site}/user/running.html")
    builder = page.locator("#command-builder")
    assert "needs JavaScript" in builder.inner_text()
    assert "spinup ppo --env CartPole-v1" in builder.locator("pre").inner_text()
    assert not builder.locator("form").is_visible()
    page.context.close()


def test_a_backend_is_chosen_once_for_all_equations(site, browser):
    page = browser.new_context().new_page()
    page.goto(f"file://{site}/algorithms/td3.html")
    page.locator(".chain label", has_text="JAX").first.click()
    shown = [text for text in page.locator(".chain .sd-tab-content:visible").all_inner_texts() if text]
    assert len(shown) == 5
    assert all("spinup/algos/jax/td3.py" in text for text in shown)
    page.context.close()


def test_a_click_on_a_name_hides_its_curves_in_that_figure_alone(site, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"file://{site}/spinningup/bench.html")
    figure, other = page.locator("figure", has_text="off-policy, JAX").nth(0), page.locator("g.td3.ours").nth(2)
    assert figure.locator("g.td3").nth(0).is_visible() and other.is_visible()
    figure.get_by_role("checkbox", name="TD3").uncheck()
    assert [figure.locator(f"g.{algo}").nth(0).is_visible() for algo in ("td3", "sac")] == [False, True]
    assert other.is_visible()
    page.context.close()


def test_the_filter_leaves_papers_with_all_words_and_their_topics(site, browser):
    page = browser.new_context().new_page()
    page.goto(f"file://{site}/spinningup/keypapers.html")
    papers, topics = page.locator("ul.papers > li:visible"), page.locator("section:visible > ul.papers")
    assert papers.count() > 105
    page.get_by_label("Show only papers with these words").fill("gu 2017 interpolated")
    assert (papers.count(), topics.count()) == (1, 1)
    assert page.locator("#paper-filter output").inner_text().startswith("1 of ")
    page.context.close()


def test_without_scripts_all_papers_are_shown(site, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"file://{site}/spinningup/keypapers.html")
    assert page.locator("ul.papers > li:visible").count() > 105
    assert not page.locator("#paper-filter").is_visible()
    page.context.close()


def test_the_search_finds_what_pages_are_about(site, browser):
    page = browser.new_context().new_page()
    page.goto(f"file://{site}/search.html?q=GAE")
    page.wait_for_selector("#search-results li", timeout=20_000)
    assert page.locator("#search-results li").count() > 0
    page.context.close()
