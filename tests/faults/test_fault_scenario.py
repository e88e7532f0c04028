import pytest
from hand_faults import fault, scenario

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.faults.scenario.scenario import load_scenario

ALL = 'peers = "all"'
PHASE_ONLY = '{ phase = "pull" }'

PROCESS = ("kill", "term", "pause", "restart", "leave", "join", "slow", "memory")
LINK = ("cut", "partition", "isolate", "flap", "shape")
HOSTS = ("host-down", "host-cut")
TAMPERING = ("drop", "duplicate", "reorder", "hold", "corrupt")
PROTOCOL = (
    "lying-mask", "copied-mask", "stale-mask", "wrong-shape", "nan", "scaled", "sign-flipped",
    "refusal", "slow-serving", "spoofed", "other-version", "forged-relay",
)  # fmt: skip


def read(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    return load_scenario(path)


DATA = {"drift", "replace"}


def one(rest="", **kwargs):
    return scenario(fault(rest, **kwargs)).faults[0]


# --- what is read ---


def test_a_scenario_is_named_after_its_file(tmp_path):
    loaded = read(tmp_path, f'description = "d"\n[[fault]]\n{fault(ALL)}')
    assert (loaded.name, loaded.description, loaded.guard) == ("bad", "d", None)
    assert [each.id for each in loaded.faults] == ["f"]


def test_every_kind_of_the_six_families_is_known():
    known = {
        *PROCESS,
        *LINK,
        *TAMPERING,
        "delay",
        *PROTOCOL,
        "full-disk",
        "drift",
        "replace",
        *HOSTS,
    }
    assert KINDS.keys() == known


@pytest.mark.parametrize(
    ("kind", "rest", "parameters"),
    [
        ("kill", ALL, {"from": "state"}),
        (
            "term",
            ALL + '\nheal = { rounds = 1 }\nfrom = "neighbor"',
            {"from": "neighbor"},
        ),
        ("restart", ALL, {"from": "state", "down_s": 0.0}),
        ("restart", ALL + '\nfrom = "fresh"\ndown_s = 2', {"from": "fresh", "down_s": 2.0}),
        ("slow", ALL, {"factor": 0.5}),
        ("memory", ALL, {"mib": 64}),
        ("cut", "", {"how": "drop", "one_way": False}),
        ("flap", "", {"period_s": 0.5, "duty": 0.5}),
        ("shape", "delay_ms = 20\nloss = 0.02", {"delay_ms": 20.0, "loss": 0.02}),
        ("partition", "sides = { data_groups = true }", {"one_way": False}),
        ("isolate", ALL, {}),
        ("drop", ALL + '\nmessage = "mask"', {"message": "mask", "probability": 1.0}),
        (
            "delay",
            ALL + '\nmessage = "weights"\nms = 5\nlimit = 3',
            {"message": "weights", "probability": 1.0, "limit": 3, "ms": 5.0},
        ),
        ("scaled", ALL, {"factor": 10.0}),
        ("full-disk", ALL, {}),
    ],
)
def test_parameters_have_their_defaults(kind, rest, parameters):
    assert one(rest, kind=kind).parameters() == parameters


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_ends_joins_and_attacks_are_for_good_and_the_rest_for_a_round(kind):
    needs = {
        "shape": "loss = 0.1", "partition": "sides = { data_groups = true }",
        "delay": ALL + '\nmessage = "mask"\nms = 1', "cut": "", "flap": "",
        **dict.fromkeys(TAMPERING, ALL + '\nmessage = "mask"'),
        **dict.fromkeys(HOSTS, 'hosts = "h2"'), "drift": ALL + '\nto = "next"',
    }  # fmt: skip
    ending = one(needs.get(kind, ALL), kind=kind).ending
    lasting = ("kill", "term", "leave", "join", "host-down", "drift", "replace")
    for_good = kind in PROTOCOL or kind in lasting
    assert (ending.never, ending.rounds) == ((True, None) if for_good else (None, 1))


def test_a_given_end_has_the_last_word():
    assert one(ALL + "\nheal = { after_s = 2 }").ending.after_s == 2
    assert one(ALL + "\nheal = { rounds = 2 }").ending.rounds == 2


@pytest.mark.parametrize(
    ("n", "most_down", "limit"),
    [(20, "0.5", 10), (5, "0.5", 2), (20, "1.0", 20), (20, "1", 1), (5, "9", 5), (3, "0.1", 1),
     (10, "0.3", 3)],
)  # fmt: skip
def test_a_guard_is_a_share_or_a_count(n, most_down, limit):
    assert scenario(fault(ALL), guard=most_down).guard.limit(n) == limit


# --- refusals ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"description = \(missing\): expected a value"),
        ('description = "d"', r"fault = \(missing\): expected a value"),
        ('description = ""', r"description = ''"),
        ('description = "d"\nfault = []', r"fault = \[\]: expected at least 1 item"),
        ('descriptoin = "d"', r"descriptoin = 'd': expected a known key; the nearest is descripti"),
        ('description = "d"\n[gaurd]', r"gaurd = \(a table\): .*the nearest is guard"),
        ('description = "d"\n[guard]\nmost = 1', r"guard\.most = 1: .*the nearest is most_down"),
        ('description = "d"\n[[faults]]', r"faults = .*the nearest is fault"),
        ("description = ", r"= \(Invalid value .*: expected valid TOML"),
    ],
)
def test_refusals_of_files(tmp_path, text, message):
    with pytest.raises(ConfigError, match=r"bad\.toml(: | )" + message):
        read(tmp_path, text)


def test_a_missing_file_is_refused_with_the_nearest(tmp_path):
    (tmp_path / "storm.toml").write_text("")
    with pytest.raises(ConfigError, match=r"the nearest is storm\.toml"):
        load_scenario(tmp_path / "strom.toml")


@pytest.mark.parametrize("most_down", ["0", "0.0", "1.5", "-1", "true", '"half"'])
def test_refusals_of_guards(most_down):
    with pytest.raises(ConfigError, match=r"guard\.most_down = .*: expected a share in \(0, 1\]"):
        scenario(fault(ALL), guard=most_down)


REFUSALS = [
    # whom, and what
    ('kind = "kill"', r"\.id = \(missing\): expected a value"),
    ('id = "f"', r"\.kind = \(missing\): expected a kind of fault"),
    ('id = "f"\nkind = 3', r"\.kind = 3: expected a kind of fault; there is kill, term"),
    (fault("", kind="kil"), r"\.kind = 'kil': expected a kind of fault; the nearest is kill"),
    (fault(ALL, id="Big"), r"\.id = 'Big': expected text that matches"),
    (fault(ALL, id=""), r"\.id = '': expected text that matches"),
    (fault("peer = []"), r"\.peer = \[\]: expected a known key; the nearest is peers"),
    (fault(""), r"\.peers = \(missing\): expected a value"),
    (fault("peers = []"), r"\.peers = \[\]: expected a list of at least one peer"),
    (fault("peers = [3]"), r"\.peers = \[3\]: expected a list of at least one peer, in quotes"),
    (fault('peers = "p00"'), r"\.peers = 'p00': expected a list of peers, \"all\", or a table"),
    (fault("peers = {}"), r"\.peers = \(an empty table\): expected \"all\""),
    (fault("peers = { pik = 1 }"), r"\.peers\.pik = 1: .*the nearest is pick"),
    (fault("peers = { pick = 0 }"), r"\.peers\.pick = 0: expected a number of at least 1"),
    (fault("peers = { pick = 1.5 }"), r"\.peers\.pick = 1\.5: expected"),
    (fault("peers = { percent = 0 }"), r"\.peers\.percent = 0: expected a number above 0"),
    (fault("peers = { percent = 101 }"), r"\.peers\.percent = 101: expected a number of at most"),
    (fault("peers = { pick = 1, percent = 5 }"), r"\.peers\.percent = 5.0: expected no percent be"),
    (fault('peers = { role = "boss" }'), r"\.peers\.role = 'boss': expected 'hub', 'leaf' or"),
    (
        fault('peers = { role = "hub", data_group = 1 }'),
        r"\.peers\.role = 'hub': expected no role beside data_group",
    ),
    (fault("peers = { not = [] }"), r"\.peers\.not = \[\]: expected at least 1 item"),
    (fault('links = "all"'), r"\.links = 'all': expected a known key"),
    (fault(ALL, kind="cut"), r"\.peers = 'all': expected a known key"),
    (fault("links = []", kind="cut"), r"\.links = \[\]: expected a list of at least one link"),
    (fault('links = ["p00"]', kind="cut"), r"\.links = 'p00': expected two peers: \"p00->p01\""),
    (fault("links = 3", kind="cut"), r"\.links = 3: expected a list of links"),
    (fault('links = { off = "all" }', kind="cut"), r"\.links\.off = 'all': .*the nearest is of"),
    (fault('links = { between = ["all"] }', kind="cut"), r"\.links\.between = .*at least 2 items"),
    (
        fault('links = { between = ["all", { pick = 0 }] }', kind="cut"),
        r"\.links\.between\[1\]\.pick = 0: expected a number of at least 1",
    ),
    (
        fault('links = { between = ["all", "all"], of = "all" }', kind="cut"),
        r"\.links\.of = \(a selector\): expected no of beside between",
    ),
    (fault("one_way = true", kind="cut"), r"\.one_way = True: expected false; one_way needs"),
    (fault('how = "cut"', kind="cut"), r"\.how = 'cut': expected 'drop', 'reject' or 'reset'"),
    (fault("", kind="partition"), r"\.groups = \(missing\): expected a list of two or more"),
    (fault('groups = ["all"]', kind="partition"), r"\.groups = .*: expected at least 2 items"),
    (
        fault('groups = ["all", { pikc = 1 }]', kind="partition"),
        r"\.groups\[1\]\.pikc = 1: .*the nearest is pick",
    ),
    (
        fault("sides = { data_groups = false }", kind="partition"),
        r"\.sides\.data_groups = False: expected True",
    ),
    (
        fault('groups = ["all", "all"]\nsides = { data_groups = true }', kind="partition"),
        r"\.sides = \(a table\): expected no sides beside groups",
    ),
    # parameters
    (fault(ALL + "\nfactor = 2", kind="kill"), r"\.factor = 2: expected a known key"),
    (fault(ALL + "\nfactor = 1.0", kind="slow"), r"\.factor = 1\.0: expected a number below 1"),
    (fault(ALL + "\nfactor = 0", kind="slow"), r"\.factor = 0: expected a number above 0"),
    (
        fault(ALL + "\nfactor = 1", kind="scaled"),
        r"\.factor = 1\.0: expected a factor other than 1",
    ),
    (fault(ALL + "\nmib = 0", kind="memory"), r"\.mib = 0: expected a number of at least 1"),
    (fault(ALL + '\nform = "state"', kind="restart"), r"\.form = 'state': .*the nearest is from"),
    (fault(ALL + '\nfrom = "ashes"', kind="restart"), r"\.from = 'ashes': expected 'state', "),
    (
        fault(ALL + '\nfrom = "fresh"', kind="kill"),
        r"\.from = 'fresh': expected no `from` without heal",
    ),
    (fault(ALL + "\ndown_s = -1", kind="restart"), r"\.down_s = -1: expected a number of at leas"),
    (fault("period_s = 0", kind="flap"), r"\.period_s = 0: expected a number above 0"),
    (fault("duty = 1", kind="flap"), r"\.duty = 1: expected a number below 1"),
    (fault("", kind="shape"), r"\.rate_mbit_s = \(missing\): expected a number; or delay_ms"),
    (fault("loss = 0", kind="shape"), r"\.loss = 0: expected a number above 0"),
    (fault("loss = 1.1", kind="shape"), r"\.loss = 1\.1: expected a number of at most 1"),
    (fault("rate_mbit_s = 0", kind="shape"), r"\.rate_mbit_s = 0: expected a number above 0"),
    (fault(ALL, kind="drop"), r"\.message = \(missing\): expected a value"),
    (fault(ALL + '\nmessage = "bye"', kind="drop"), r"\.message = 'bye': expected 'mask', 'requ"),
    (
        fault(ALL + '\nmessage = "mask"\nprobability = 0', kind="drop"),
        r"\.probability = 0: expected a number above 0",
    ),
    (
        fault(ALL + '\nmessage = "mask"\nlimit = 0', kind="drop"),
        r"\.limit = 0: expected a number of at least 1",
    ),
    (fault(ALL + '\nmessage = "mask"\nms = 1', kind="drop"), r"\.ms = 1: expected a known key"),
    (fault(ALL + '\nmessage = "mask"', kind="delay"), r"\.ms = \(missing\): expected a value"),
    # triggers
    (fault(ALL, at=None), r"\.at = \(missing\): expected a table such as"),
    (fault(ALL, at="{}"), r"\.at\.phase = \(missing\): expected one of train, announce, pull, ag"),
    (fault(ALL, at="{ round = 3 }"), r"\.at\.phase = \(missing\): expected one of train, announc"),
    (fault(ALL, at=PHASE_ONLY), r"\.at\.round = \(missing\): expected a round; or every"),
    (fault(ALL, at='{ round = 1, phase = "sleep" }'), r"\.at\.phase = 'sleep': expected 'train',"),
    (fault(ALL, at='{ round = -1, phase = "pull" }'), r"\.at\.round = -1: expected a number of a"),
    (fault(ALL, at='{ runde = 1, phase = "pull" }'), r"\.at\.runde = 1: .*the nearest is round"),
    (fault(ALL, at="3"), r"\.at = 3: expected"),
    (fault(ALL, at="{ time_s = 0 }"), r"\.at\.time_s = 0: expected a number above 0"),
    (fault(ALL, at='{ time_s = 1, phase = "pull" }'), r"\.at\.time_s = 1\.0: expected no time_s "),
    (fault(ALL, at="{ time_s = 1, round = 2 }"), r"\.at\.round = 2: expected none beside time_s"),
    (fault(ALL, at='{ event = "transfer" }'), r"\.at\.share = \(missing\): expected a share of"),
    (fault(ALL, at='{ event = "pull", share = 1 }'), r"\.at\.event = 'pull': expected 'transfer'"),
    (fault(ALL, at='{ event = "transfer", share = 0 }'), r"\.at\.share = 0: expected a number ab"),
    (fault(ALL, at='{ after = "g" }'), r"\.at\.edge = \(missing\): expected one of applied, heal"),
    (fault(ALL, at='{ after = "g", edge = "applied" }'), r"\.at\.after = 'g': expected the id of"),
    (
        fault(ALL, at='{ after = "f", edge = "applied" }'),
        r"\.at\.after = \(f\): expected no cycle",
    ),
    (
        fault(ALL, at='{ after = "f", edge = "begun" }'),
        r"\.at\.edge = 'begun': expected 'applied' or 'healed'",
    ),
    (
        fault(ALL, at='{ after = "f", edge = "applied", delay_s = -1 }'),
        r"\.at\.delay_s = -1: expected a number of at least 0",
    ),
    # rhythms
    (fault(ALL + "\nevery = {}", at=PHASE_ONLY), r"\.every\.rounds = \(missing\): expected a num"),
    (fault(ALL + "\nevery = { rounds = 0 }", at=PHASE_ONLY), r"\.every\.rounds = 0: expected a n"),
    (fault(ALL + "\nevery = { form = 1 }", at=PHASE_ONLY), r"\.every\.form = 1: .*nearest is from"),
    (fault(ALL + "\nevery = { rounds = 1 }"), r"\.at\.round = 1: expected none beside every"),
    (fault(ALL + "\nevery = { rounds = 1 }", at=None), r"\.at\.phase = \(missing\): expected a p"),
    (fault(ALL + "\nevery = { rounds = 1 }", at="{ time_s = 1 }"), r"\.at\.phase = \(missing\)"),
    (
        fault(ALL + "\nevery = { rounds = 1, from = 5, until = 4 }", at=PHASE_ONLY),
        r"\.every\.until = 4: expected a round of at least 5",
    ),
    (
        fault(ALL + "\nevery = { rounds = 1, seconds = 1 }", at=PHASE_ONLY),
        r"\.every\.seconds = 1\.0: expected no seconds beside rounds",
    ),
    (
        fault(ALL + "\nevery = { rounds = 1, until_s = 1 }", at=PHASE_ONLY),
        r"\.every\.until_s = 1\.0: expected none beside rounds",
    ),
    (
        fault(ALL + "\nevery = { seconds = 1, from = 1 }", at=None),
        r"\.every\.from = 1: expected none beside seconds",
    ),
    (fault(ALL + "\nevery = { seconds = 1 }", at=None), r"\.every\.until_s = \(missing\): expect"),
    (
        fault(ALL + "\nevery = { seconds = 1, until_s = 9 }", at=PHASE_ONLY),
        r"\.at\.time_s = \(missing\): expected a number of seconds, or no at",
    ),
    (
        fault(ALL + "\nevery = { seconds = 1, until_s = 9 }", at="{ time_s = 9 }"),
        r"\.every\.until_s = 9\.0: expected a number above at\.time_s",
    ),
    (
        fault(ALL + '\nevery = { seconds = 1, until_s = 9, distribution = "zipf" }', at=None),
        r"\.every\.distribution = 'zipf': expected 'fixed', 'exponential' or 'uniform'",
    ),
    # ends
    (fault(ALL + "\nheal = {}"), r"\.heal\.rounds = \(missing\): expected a number of rounds; or"),
    (fault(ALL + "\nheal = { rounds = 0 }"), r"\.heal\.rounds = 0: expected a number of at least"),
    (fault(ALL + "\nheal = { after_s = 0 }"), r"\.heal\.after_s = 0: expected a number above 0"),
    (fault(ALL + "\nheal = { never = false }"), r"\.heal\.never = False: expected True"),
    (fault(ALL + "\nheal = { rounds = 1, never = true }"), r"\.heal\.never = True: expected no n"),
    (
        fault(ALL, kind="pause", at="{ time_s = 1 }"),
        r"\.heal = \(missing\): expected \{ after_s = \.\. \} or \{ never = true \}",
    ),
    (
        fault(ALL + "\nheal = { rounds = 2 }", at="{ time_s = 1 }"),
        r"\.heal = \(rounds\): expected \{ after_s = \.\. \} or",
    ),
    (
        fault(ALL, kind="pause", at='{ event = "transfer", share = 0.5 }'),
        r"\.heal = \(missing\): expected \{ after_s = \.\. \} or",
    ),
    (fault(ALL + "\nheal = { never = true }", kind="restart"), r"\.heal = \(no rounds\): expected"),
    (
        fault(ALL + "\ndown_s = 1\nheal = { rounds = 1 }", kind="restart"),
        r"\.down_s = 1\.0: expected none beside heal\.rounds",
    ),
    (fault(ALL + "\nheal = { rounds = 1 }", kind="join"), r"\.heal = \(a table\): expected none:"),
    (
        fault(ALL + "\nevery = { rounds = 1 }", kind="join", at=PHASE_ONLY),
        r"\.every = \(a table\): expected none: a peer joins once",
    ),
    (
        fault(ALL, kind="join", at='{ event = "transfer", share = 0.5, round = 1 }'),
        r"\.at\.event = 'transfer': expected phase, time_s or after: joins need",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_refusals_of_faults(text, message):
    with pytest.raises(ConfigError, match=rf"^hand\.toml: fault\[0\]({message})") as refusal:
        scenario(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([fault(ALL), fault(ALL)], r"fault\[1\]\.id = 'f': expected an id that no other"),
        (
            [fault(ALL, id="halves"), fault(ALL, at='{ after = "halfs", edge = "applied" }')],
            r"fault\[1\]\.at\.after = 'halfs': expected the id of a fault; the nearest is halves",
        ),
        (
            [
                fault(ALL, id="a", at='{ after = "c", edge = "applied" }'),
                fault(ALL, id="b", at='{ after = "a", edge = "applied" }'),
                fault(ALL, id="c", at='{ after = "b", edge = "applied" }'),
            ],
            r"fault\[0\]\.at\.after = \(c\): expected no cycle of faults: a after c after b",
        ),
        (
            [fault(ALL, id="a"), fault(ALL, at='{ after = "a", edge = "healed" }')],
            r"fault\[1\]\.at\.edge = 'healed': expected 'applied': a never heals",
        ),
    ],
)
def test_refusals_of_faults_among_each_other(faults, message):
    with pytest.raises(ConfigError, match=message):
        scenario("\n\n".join(faults))


def test_a_fault_behind_a_cycle_is_not_blamed_for_it():
    cycle = [
        fault(ALL, id="behind", at='{ after = "a", edge = "applied" }'),
        fault(ALL, id="a", at='{ after = "b", edge = "applied" }'),
        fault(ALL, id="b", at='{ after = "a", edge = "applied" }'),
    ]
    with pytest.raises(ConfigError, match=r"fault\[1\]\.at\.after = \(b\)"):
        scenario("\n\n".join(cycle))
