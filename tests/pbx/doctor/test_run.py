"""Every group of checks has its turn, and nothing that does not run is praised."""

from pathlib import Path

from sqlalchemy.engine import make_url

from pbx.config import load
from pbx.doctor.finding import Verdict
from pbx.doctor.run import Patient, findings
from pbx.doctor.target import Target
from pbx.paths import Layout
from pbx.processes import accounts


def test_an_exchange_that_does_not_run_is_looked_at_as_far_as_can_be(
    installation: Layout, tmp_path: Path
) -> None:
    config = load(installation.config_file)
    target = Target.of(config, tmp_path / "root.pem", None)
    url = make_url(f"sqlite+aiosqlite:///{installation.database_file}")
    patient = Patient(
        layout=installation, config=config, target=target, database=url, owners=accounts.own()
    )

    found = {one.promise: one.verdict for one in findings(patient)}

    assert len(found) >= 25
    assert found["an unknown phone is refused"] is Verdict.UNKNOWN
    assert found["only the known sockets are open"] is Verdict.UNKNOWN
    assert found["only its account reads the keys"] is Verdict.HOLDS


def test_a_target_listens_where_the_configuration_says(installation: Layout) -> None:
    text = installation.config_file.read_text().replace(
        'listen = ["127.0.0.1"]', 'listen = ["0.0.0.0", "::", "::1"]'
    )
    installation.config_file.write_text(text)

    target = Target.of(load(installation.config_file), installation.root, None)

    assert target.hosts == ("127.0.0.1", "::1")
    assert target.heard("127.0.0.1:4061, [::1]:4061", "").port == 4061
    assert target.heard("", "127.0.0.1:4063").certificate_port == 4063
