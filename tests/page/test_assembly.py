"""The page's one file: what may run in it, and what it carries."""

import base64
import gzip
import hashlib
import json
import re

import pytest
from hand_pages import a_payload

from prisam_p2p.page.assembly import ASSETS, packed, page_of, script_names

VENDOR = ASSETS / "vendor"


def test_the_vendored_library_is_the_one_of_its_npm_package():
    vendored = json.loads((VENDOR / "vendor.json").read_text())
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", vendored["integrity"])
    assert vendored["files"]
    for name, digest in vendored["files"].items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
    source = (VENDOR / "echarts.min.js").read_text()
    assert f'version="{vendored["version"]}"' in source
    assert "Apache License" in (VENDOR / "LICENSE").read_text()
    assert "Apache ECharts" in (VENDOR / "NOTICE").read_text()


def test_the_policy_names_every_script_and_the_style_by_hash():
    page = page_of(a_payload(), "a run")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
    allowed = set(re.findall(r"'sha256-([^']*)'", policy))
    scripts = re.findall(r"<script data-file=[^>]*>(.*?)</script>", page, re.S)
    styles = re.findall(r"<style>(.*?)</style>", page, re.S)
    hashes = {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (*scripts, *styles)
    }
    assert len(scripts) == len(script_names()) > 10
    assert hashes == allowed
    assert "unsafe" not in policy
    assert "connect-src" not in policy


def test_the_same_data_gives_the_same_page():
    assert page_of(a_payload(), "a run") == page_of(a_payload(), "a run")


def test_the_data_comes_out_as_it_went_in():
    payload = a_payload(headline="</script><b> \u202e")
    assert json.loads(gzip.decompress(base64.b64decode(packed(payload)))) == payload


def test_a_title_is_text_and_names_in_the_data_do_not_fill_the_template():
    page = page_of(a_payload(model="{{data}}"), "</title><script>{{data}}")
    assert "<title>&lt;/title&gt;&lt;script&gt;{{data}}</title>" in page


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        packed({"format": 1, "runs": [{"facts": {"duration_s": float("nan")}}]})


def test_no_asset_asks_for_anything_of_a_network():
    own = [path for path in ASSETS.rglob("*") if path.is_file() and path.parent != VENDOR]
    assert len(own) > 10
    asks = r"https?://|//cdn|@import|innerHTML|insertAdjacentHTML|\beval\("
    assert [path.name for path in own if re.search(asks, path.read_text())] == []


def test_assets_are_those_that_the_page_uses():
    own = {path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*.js")}
    assert own == set(script_names(live=(ASSETS / "js/live.js").exists()))
