"""The table of the real corpora that are known by name.

The checksums come from copies that agree in several sources.  The addresses are those of the
public repositories of PyTorch's examples and Universal Dependencies; they were written down
without network access and never fetched in a test, so it is the checksum that decides.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

GITHUB = "https://raw.githubusercontent.com"
CC_BY_SA = "Creative Commons BY-SA 4.0"
LDC = (
    "text of the LDC's Penn Treebank, not to be redistributed: get Mikolov's preprocessed files "
    "(simple-examples.tgz, data/ptb.*.txt) under your own licence and put them there"
)


class Corpus(NamedTuple):
    """A known corpus; its files lie in the folder of its name.

    kind: "lm" or "treebank".
    licence: the terms, or how to get it by hand.
    address: of the folder to download from; None if that is not allowed.
    pattern: name of a file, {} being its role.
    digests: role (train, valid or dev, test) -> SHA-256 of the text, unpacked.
    """

    kind: str
    licence: str
    address: Optional[str]
    pattern: str
    digests: dict[str, str]


CORPORA = {
    "ptb_lm": Corpus(
        "lm",
        LDC,
        None,
        "ptb.{}.txt",
        {
            "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        },
    ),
    "wikitext2": Corpus(
        "lm",
        CC_BY_SA,
        f"{GITHUB}/pytorch/examples/main/word_language_model/data/wikitext-2",
        "{}.txt",
        {
            "train": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
            "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
            "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        },
    ),
    "ud_english_ewt_2.16": Corpus(
        "treebank",
        CC_BY_SA,
        f"{GITHUB}/UniversalDependencies/UD_English-EWT/r2.16",
        "en_ewt-ud-{}.conllu",
        {
            "train": "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            "dev": "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            "test": "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
        },
    ),
    "ud_english_ewt_2.5": Corpus(
        "treebank",
        CC_BY_SA,
        f"{GITHUB}/UniversalDependencies/UD_English-EWT/r2.5",
        "en_ewt-ud-{}.conllu",
        {
            "train": "c923047728114b1fc876d9d83534da8b1aa7f8fe0c687b39c2696abb3c32f908",
            "dev": "415e698131802a2fa760899de7dc618659f9e4a6184bc64bb07e5da992c6e180",
            "test": "7ab1db2c67549a3b0e695e38a8fb48efd13c02f5a811f7694c634ec7a4dd19ff",
        },
    ),
    "ud_afrikaans_afribooms_2.5": Corpus(
        "treebank",
        CC_BY_SA,
        f"{GITHUB}/UniversalDependencies/UD_Afrikaans-AfriBooms/r2.5",
        "af_afribooms-ud-{}.conllu",
        {
            "train": "ab40745a6687a99d6cf764631157eea3faed2aaf2532115cbacd1576f0cc4639",
            "dev": "b1f2e5331292d59af4f20565d5ffdb8baf56fe8f3b5aa86b3ca949e6137acd0a",
        },
    ),
    "ud_dutch_lassysmall_1.4": Corpus(
        "treebank",
        CC_BY_SA,
        f"{GITHUB}/UniversalDependencies/UD_Dutch-LassySmall/r1.4",
        "nl_lassysmall-ud-{}.conllu",
        {
            "train": "4c788336a9b9b022755ed0c3e12d0184b16730e9301f81f1d176b91ebbaa7c36",
            "dev": "695d63596e9988562694a3bafffb8c5cf3e9fdafc4a94bf2a46471a482425d9d",
            "test": "2382cd0c37e6e4ddf046c4f38e3aad05e02db15c65f45c74d77ccb1fc5226dd5",
        },
    ),
}
