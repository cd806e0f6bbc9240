"""The numbers of "See the Speaker" (Wang et al.), typed in once, and which experiments of ours belong to which row."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """One number of a table."""

    heading: str
    measurement: str
    """Its name in a run's `metrics.json`; empty where it is counted from the network."""
    factor: float = 1.0
    """From our unit to the paper's."""
    digits: int = 2
    higher_is_better: bool = False
    ranked: bool = True
    """Whether a best number is to be marked."""


@dataclass(frozen=True)
class Row:
    """One method of a table."""

    label: str
    runs: tuple[str, ...]
    """Names of our experiments that are this row (the folders below `runs`); empty for other people's methods."""
    paper: tuple[float, ...]
    """In the order of the columns; columns after the last of them are ours alone."""
    beside: bool = False
    """A row of ours beside the paper's, which nobody misses."""


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper."""

    number: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    kind: str = "portraits"
    """Of the measurements that it is made of, see `s2tf evaluate`."""
    baseline: str = "without the speech"
    truth: str = "another true frame"
    explained: str = (
        "Without the speech: the mean face for distances, chance for retrieval, the commoner gender and the median "
        "age. Another true frame of the same clips: what the measuring networks allow at best."
    )
    """What baseline and truth are; empty where there are none."""


PORTRAIT_COLUMNS = (
    Column("L1 ↓ *", "L1"),
    Column("L2 ↓ *", "L2"),
    Column("cos ↓ (degrees)", "cosine_degrees"),
    Column("gender ↑ (%)", "gender", 100, 1, higher_is_better=True),
    Column("age ↑ (%)", "age", 100, 1, higher_is_better=True),
    Column("R@1 ↑ (%)", "R@1", 100, higher_is_better=True),
    Column("R@2 ↑ (%)", "R@2", 100, higher_is_better=True),
    Column("R@5 ↑ (%)", "R@5", 100, higher_is_better=True),
)
PORTRAIT_NOTES = (
    "The paper's cos falls with better results and lies between 9.9 and 82.5: read as an angle in degrees. ",
    "* The scale of the features behind the paper's L1 and L2 is not known: ours cannot be compared with them.",
    "Retrieval depends on the gallery's size, which the paper does not give; ours is under the table.",
)

VIDEO_COLUMNS = (
    Column("LSE-D ↓", "LSE-D"),
    Column("LSE-C ↑", "LSE-C", higher_is_better=True),
    Column("LPIPS ↓", "LPIPS"),
    Column("SSIM ↑", "SSIM", higher_is_better=True),
    Column("PSNR ↑", "PSNR", higher_is_better=True),
    Column("FID ↓", "FID"),
    Column("MAD ↓", "MAD", digits=4),
)
VIDEO_NOTES = (
    "The paper's PSNR lies between 28.1 and 30.7 for every method on all three data sets, while LPIPS goes from 0.06 "
    "to 0.56 and SSIM from 0.54 to 0.81: so it comes out where frames are subtracted as uint8, which wraps around. "
    "This is a guess; ours is of floats, and is not to be brought near the paper's.",
    "The paper's LSE-D of Real3D-Portrait, AniTalker and Hallo is 11 to 20, of SyncTalk 11 to 14: 6 to 8 is what is "
    "usually reported, of true recordings too. Another protocol, or failed clips: take the paper's LSE as relative.",
    "FID falls with the number of frames, which the paper does not give: only numbers of equally many compare.",
)

REBUILT_COLUMNS = (
    *VIDEO_COLUMNS,
    Column("feature distance ↓", "feature distance (face judge)", digits=3),
    Column("lip error ↓ (%)", "lip landmark error", 100),
    Column("sharpness (%), 100 is true", "sharpness", 100, 1, ranked=False),
)
REBUILT_NOTES = (
    "Ours: frames rebuilt from the first frame and their own motion codes, not driven by speech as the paper's.",
    "Feature distance: of the face judge, where no LPIPS is at hand. Lip error: mean distance of the lip landmarks, in "
    "hundredths of the distance of the outer eye corners. Sharpness: energy of the gradient, of the true frame's.",
)

SCFP_AVSPEECH = (31.26, 1.14, 10.35, 99.1, 86.4, 21.45, 36.21, 59.86)
"""The paper's whole first stage on AVSpeech, a row of Tables I and III to VI."""
SCFP_RUNS = ("scfp", "table3-both", "table4-saw", "table5-linear", "table6-cnn", "figure12-saw")
"""Experiments that are the paper's whole first stage."""

VIDEO_ROWS = (
    ("AniPortrait", ()),
    ("Real3D-Portrait", ()),
    ("SyncTalk", ()),
    ("Hallo", ()),
    ("AniTalker", ()),
    ("VideoRetalking", ()),
    ("HRTF", ("hrtf",)),
    ("HRTF-SCFP", ("hrtf-scfp",)),
)
"""The methods of Tables VII to IX, and which experiments are theirs."""


def _talking_faces(number: str, dataset: str, *paper: tuple[float, ...]) -> PaperTable:
    """One of Tables VII to IX."""
    return PaperTable(
        number,
        f"talking faces on {dataset}",
        VIDEO_COLUMNS,
        tuple(Row(label, runs, numbers) for (label, runs), numbers in zip(VIDEO_ROWS, paper, strict=True)),
        VIDEO_NOTES,
        kind="videos",
        baseline="source frame copied",
        truth="the reference itself",
        explained="The source frame copied: no motion. The reference itself: what the measuring networks give at best.",
    )


TABLES: Mapping[str, PaperTable] = {
    "table1": PaperTable(
        "I",
        "portraits on AVSpeech",
        PORTRAIT_COLUMNS,
        (
            Row("Wav2Pix", (), (144.72, 24.32, 82.51, 67.4, 41.3, 2.46, 6.72, 14.26)),
            Row("Speech2Face", (), (67.18, 3.94, 46.97, 95.6, 65.2, 9.17, 14.94, 28.31)),
            Row("Choi et al.", (), (60.26, 3.57, 35.89, 95.8, 69.6, 10.84, 17.37, 32.91)),
            Row("SF2F", (), (89.31, 17.49, 64.83, 72.1, 48.9, 7.37, 13.45, 20.72)),
            Row("Kato et al.", (), (46.35, 2.73, 21.96, 96.7, 81.3, 18.44, 28.31, 49.24)),
            Row("SCFP", SCFP_RUNS, SCFP_AVSPEECH),
        ),
        PORTRAIT_NOTES,
    ),
    "table2": PaperTable(
        "II",
        "portraits on VoxCeleb",
        PORTRAIT_COLUMNS,
        (
            Row("Wav2Pix", (), (137.58, 22.19, 79.36, 74.5, 49.6, 4.81, 9.56, 12.94)),
            Row("Speech2Face", (), (66.46, 2.77, 44.38, 96.1, 69.4, 7.79, 14.38, 20.14)),
            Row("Wen et al.", (), (59.82, 2.41, 42.54, 97.4, 72.5, 8.26, 15.62, 23.51)),
            Row("Choi et al.", (), (56.32, 2.24, 30.49, 97.6, 74.8, 9.43, 16.32, 28.67)),
            Row("SF2F", (), (78.45, 13.31, 58.79, 79.3, 57.6, 9.25, 17.17, 22.53)),
            Row("Kato et al.", (), (40.11, 2.26, 18.74, 98.1, 83.8, 16.19, 25.64, 42.38)),
            Row("SCFP", SCFP_RUNS, (25.24, 0.91, 9.86, 99.6, 89.3, 19.84, 33.57, 51.79)),
        ),
        PORTRAIT_NOTES,
    ),
    "table3": PaperTable(
        "III",
        "the parts of the first stage",
        PORTRAIT_COLUMNS,
        (
            Row("baseline", ("table3-baseline",), (56.39, 3.30, 29.83, 95.9, 74.7, 12.82, 19.65, 34.81)),
            Row("+ ConRe", ("table3-conre",), (44.27, 2.38, 20.41, 96.4, 80.3, 18.97, 29.32, 49.96)),
            Row("+ SAW", ("table3-saw",), (42.14, 2.19, 18.74, 96.8, 81.5, 15.21, 24.63, 42.77)),
            Row("+ ConRe + SAW", SCFP_RUNS, SCFP_AVSPEECH),
        ),
        PORTRAIT_NOTES,
    ),
    "table4": PaperTable(
        "IV",
        "the weight of the face prior",
        PORTRAIT_COLUMNS,
        (
            Row("β⁰, the same for all", ("table4-beta0",), (35.01, 1.48, 12.81, 98.8, 84.5, 19.86, 31.41, 51.48)),
            Row("β, adaptive (SAW)", SCFP_RUNS, SCFP_AVSPEECH),
        ),
        PORTRAIT_NOTES,
    ),
    "table5": PaperTable(
        "V",
        "the design of the prior's weighting",
        (*PORTRAIT_COLUMNS, Column("FLOPs ↓ (G)", "", 1e-9, 4)),
        (
            Row("linear", SCFP_RUNS, (*SCFP_AVSPEECH, 0.0082)),
            Row("attention", ("table5-attention",), (31.20, 1.09, 10.31, 99.1, 86.6, 21.49, 36.27, 59.97, 0.0328)),
        ),
        (
            *PORTRAIT_NOTES,
            "FLOPs are counted on the run's own network for one speech, two for each multiplication and addition. The "
            "paper's are not those of 4096 dimensions (0.067 G for the two linear maps); its factor of four is.",
        ),
    ),
    "table6": PaperTable(
        "VI",
        "the speech encoder",
        PORTRAIT_COLUMNS,
        (
            Row("wav2vec 2.0", ("table6-wav2vec",), (28.24, 1.07, 9.94, 99.2, 86.8, 22.02, 37.13, 60.29)),
            Row("CNN", SCFP_RUNS, SCFP_AVSPEECH),
        ),
        PORTRAIT_NOTES,
    ),
    "table7": _talking_faces(
        "VII",
        "VoxCeleb",
        (9.63, 6.39, 0.13, 0.56, 29.54, 44.13, 0.0053),
        (16.60, 3.24, 0.22, 0.54, 29.50, 42.14, 0.0062),
        (11.46, 4.83, 0.22, 0.56, 29.41, 46.70, 0.0064),
        (12.43, 5.14, 0.24, 0.59, 29.42, 44.82, 0.0059),
        (14.76, 4.58, 0.23, 0.59, 28.61, 43.45, 0.0053),
        (9.44, 3.34, 0.12, 0.62, 29.47, 39.47, 0.0061),
        (6.61, 8.65, 0.11, 0.67, 29.66, 29.28, 0.0042),
        (7.08, 8.23, 0.12, 0.65, 29.42, 32.66, 0.0046),
    ),
    "table8": _talking_faces(
        "VIII",
        "HDTF",
        (8.04, 6.46, 0.11, 0.75, 29.72, 41.61, 0.0072),
        (15.78, 3.87, 0.21, 0.74, 29.68, 39.83, 0.0092),
        (11.07, 5.51, 0.12, 0.73, 29.97, 42.28, 0.0078),
        (11.36, 5.61, 0.14, 0.71, 29.52, 41.32, 0.0099),
        (12.74, 5.06, 0.20, 0.69, 29.62, 40.02, 0.0057),
        (11.53, 4.59, 0.08, 0.76, 29.72, 36.28, 0.0064),
        (5.41, 9.74, 0.06, 0.81, 30.63, 26.34, 0.0048),
        (6.86, 8.83, 0.09, 0.78, 30.61, 29.36, 0.0051),
    ),
    "table9": _talking_faces(
        "IX",
        "wild recordings (of AVSpeech)",
        (14.64, 4.42, 0.45, 0.63, 28.14, 54.85, 0.0045),
        (19.07, 3.27, 0.56, 0.64, 28.47, 48.38, 0.0056),
        (13.55, 4.55, 0.39, 0.68, 28.82, 56.47, 0.0063),
        (18.57, 5.90, 0.33, 0.64, 28.67, 46.59, 0.0062),
        (19.50, 4.26, 0.36, 0.68, 28.73, 48.96, 0.0041),
        (12.56, 4.21, 0.17, 0.63, 29.51, 41.19, 0.0049),
        (8.89, 9.23, 0.14, 0.75, 29.68, 28.76, 0.0035),
        (9.94, 8.68, 0.18, 0.73, 29.21, 29.19, 0.0038),
    ),
    "table10": PaperTable(
        "X",
        "the parts of the second stage",
        REBUILT_COLUMNS,
        (
            Row("baseline", ("table10-baseline",), (8.38, 6.95, 0.15, 0.63, 29.21, 36.78, 0.0058)),
            Row("+ codebook", ("table10-codebook",), (8.24, 7.13, 0.13, 0.64, 29.64, 29.31, 0.0048)),
            Row("+ lip refiner", ("table10-lip_refiner",), (7.10, 8.44, 0.12, 0.66, 29.62, 33.06, 0.0054)),
            Row("+ lip refiner + codebook", ("table10-both",), (6.61, 8.65, 0.11, 0.67, 29.66, 29.28, 0.0042)),
            Row("+ codebook, trained together", ("table10-codebook_jointly",), (), beside=True),
            Row("+ lip refiner + codebook, trained together", ("table10-both_jointly",), (), beside=True),
        ),
        REBUILT_NOTES,
        kind="reconstruction",
        baseline="source frame copied",
        truth="the true frames",
        explained="The source frame copied: no motion. The true frames: what the measuring networks allow at best.",
    ),
    "table11": PaperTable(
        "XI",
        "the speech encoder of the second stage",
        (
            *VIDEO_COLUMNS,
            Column("mouth correlation ↑", "mouth correlation", higher_is_better=True),
        ),
        (
            Row("wav2vec 2.0", ("table11-wav2vec",), (7.46, 7.78, 0.13, 0.61, 29.57, 31.24, 0.0045)),
            Row("HuBERT", ("motion_diffusion", "table11-hubert"), (6.61, 8.65, 0.11, 0.67, 29.66, 29.28, 0.0042)),
        ),
        ("Ours: read off the motion codes; the paper's columns need rendered videos.",),
        kind="motion",
        baseline="another's speech",
        truth="the true codes",
        explained="Another's speech: the same face, driven by another clip's speech. The true codes: read alike.",
    ),
    "table12": PaperTable(
        "XII",
        "what a talking face takes",
        (
            Column("parameters ↓ (M)", "parameters", 1e-6, 0),
            Column("memory ↓ (MB)", "memory", 1e-6, 0),
            Column("speed ↑ (frames a second)", "speed", higher_is_better=True),
        ),
        (
            Row("AniPortrait", (), (2901, 18551, 1.00)),
            Row("Real3D-Portrait", (), (343, 5186, 0.74)),
            Row("SyncTalk", (), (109, 808, 2.03)),
            Row("Hallo", (), (2519, 8153, 0.28)),
            Row("AniTalker", (), (421, 3372, 7.36)),
            Row("VideoRetalking", (), (299, 3092, 0.42)),
            Row("HRTF", ("hrtf",), (470, 3694, 5.46)),
            Row("HRTF-SCFP", ("hrtf-scfp",), (1110, 3694, 5.46)),
        ),
        ("The paper's: on one A6000. Its own rows are printed there as HDTF and HDTF-SCFP.",),
        kind="efficiency",
        explained="",
    ),
    "injection": PaperTable(
        "of ours",
        "two readings of how the prior enters (Eq. 6 and 9)",
        PORTRAIT_COLUMNS,
        (
            Row("added to the input", SCFP_RUNS, ()),
            Row("centre of the noise", ("injection-noise",), ()),
        ),
    ),
}
