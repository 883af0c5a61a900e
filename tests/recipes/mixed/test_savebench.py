"""SAVEBench's lists, in the fields of the released files."""


def test_every_kind_of_list(folder) -> None:
    far = "Benchmark/VGGSound/scratch/shared/VGGSound_final/video"
    folder.json(
        "annotations/audiovisualmatching_combined.json",
        [
            {
                "image": [f"{far}/-0BIy.Jj9Z__000030.mp4", f"{far}/0welW-8hB1c_000071.wav"],
                "question": "Is the audio compatible with the video?",
                "answer": "No",
                "text": "playing double bass.",
            }
        ],
    )
    folder.json(
        "annotations/nextqa_test.json",
        [
            {
                "image": "1101/2574374895.mp4",
                "question": "what did the baby do",
                "answer": "lay on floor",
                "answer_candidates": ["clap proudly", "lay on floor"],
            }
        ],
    )
    folder.json(
        "annotations/flickr30k_captions.json",
        [
            {
                "image": "flickr30k/Images/1011572216.jpg",
                "question": "Write a short description about this image.",
                "answer": ["bride and groom", 'A "couple"'],
            }
        ],
    )
    folder.json(
        "annotations/avsd_textformat_subset.json",
        [
            {
                "image_name": ["Charades_v1_480/Y4U6T.mp4", "audios/Y4U6T.wav"],
                "conversation": [["Is this a man?", "Yes."], ["What does he do?", "He sits."]],
            }
        ],
    )
    folder.json(
        "annotations/ego4d_qa.json",
        [
            {
                "image_name": ["14e96091__2.mp4", "14e96091__2.wav"],
                "answer_candidates": ["A", "B"],
                "answer": "B",
                "question": "What?",
                "duration": [0.5, 1.75],
            }
        ],
    )
    folder.json(
        "annotations/textvqa.json",
        [{"dataset": "textvqa", "image": "gone.jpg", "question": "what?", "answer": ["x"] * 10}],
    )
    folder.json(
        "annotations/testdata_formatted.json",
        [
            {
                "image": [f"{far}/-0BIy.Jj9Z__000030.mp4", f"{far}/-0BIy.Jj9Z__000030.wav"],
                "question": "What is the source of the sound?",
                "answer": "The source of this sound in this scene is people belly laughing.",
            }
        ],
    )
    folder.medium("media/vgg/-0BIy.Jj9Z__000030.mp4")
    folder.medium("media/vgg/0welW-8hB1c_000071.wav")
    folder.medium("media/NExTVideo/1101/2574374895.mp4")
    folder.medium("media/flickr/1011572216.jpg")
    folder.medium("media/Charades_v1_480/Y4U6T.mp4")
    folder.medium("media/ego4d/14e96091.mp4", seconds=2)
    folder.recipe("savebench")
    assert [row[0] for row in folder.left_out()] == ["textvqa_0"]
    items = folder.build()
    matching = items["audiovisualmatching_combined_0"]
    assert matching.media == {
        "video": "media/vgg/-0BIy.Jj9Z__000030.mp4",
        "audio": "media/vgg/0welW-8hB1c_000071.wav",
    }
    assert (matching.metadata["task"], matching.metadata["references"]) == ("AVM", ["No"])
    assert items["testdata_formatted_0"].metadata["references"] == ["people belly laughing"]
    assert items["testdata_formatted_0"].media["audio"] == "media/vgg/-0BIy.Jj9Z__000030.mp4"
    assert items["nextqa_test_0"].metadata["options"] == ["clap proudly", "lay on floor"]
    assert items["flickr30k_captions_0"].metadata["references"] == ["bride and groom", 'A "couple"']
    assert items["avsd_textformat_subset_0"].metadata["references"] == ["He sits."]
    assert items["ego4d_qa_0"].span == [0.5, 1.75]
    assert items["ego4d_qa_0"].conversations == [[("human", "What? Choose from: (A) A (B) B"), ("gpt", "B")]]


def test_a_file_that_is_no_list_of_its_own_is_refused(folder, capsys) -> None:
    folder.json("annotations/other.json", [{"image": "a.jpg"}])
    folder.medium("media/a.jpg")
    folder.refused("savebench")
    assert "other.json: is none of SAVEBench's lists" in capsys.readouterr().err
